/** The part of ComfyUI's front end that `web/js` uses. Optional members differ between releases. */

type NodeId = number | string;

interface ComfyWidget {
  name: string;
  type?: string;
  value: unknown;
  label?: string;
  tooltip?: string;
  serialize?: boolean;
  disabled?: boolean;
  options?: {
    values?: unknown;
    min?: number;
    max?: number;
    getOptionLabel?: (value?: string | null) => string;
  };
  callback?: (value: unknown, canvas?: ComfyCanvas, node?: ComfyNode, position?: number[]) => unknown;
}

interface ComfyInput {
  name: string;
  link?: NodeId | null;
  widget?: { name: string };
}

interface ComfyLink {
  origin_id: NodeId;
  origin_slot: number;
}

interface DomWidgetOptions {
  serialize?: boolean;
  hideOnZoom?: boolean;
  getMinHeight?: () => number;
}

interface ComfyNode {
  id: NodeId;
  type: string;
  comfyClass?: string;
  title?: string;
  mode?: number;
  pos: number[];
  size: number[];
  /** Of the title bar, where somebody has chosen one. */
  color?: string;
  graph?: ComfyGraph | null;
  /** Of a node that stands for a subgraph. */
  subgraph?: ComfyGraph;
  widgets?: ComfyWidget[];
  inputs?: ComfyInput[];
  hideOutputImages?: boolean;
  /** Small signs above a node. */
  badges?: object[];
  onExecuted?: (this: ComfyNode, output: NodeOutput, ...rest: unknown[]) => void;
  onRemoved?: (this: ComfyNode, ...rest: unknown[]) => void;
  onDrawBackground?: () => void;
  addWidget(
    type: string,
    name: string,
    value: unknown,
    callback: () => void,
    options?: object,
  ): ComfyWidget;
  addDOMWidget(
    name: string,
    type: string,
    element: HTMLElement,
    options?: DomWidgetOptions,
  ): ComfyWidget;
  outputs?: { name: string }[];
  onDragOver?: (event: DragEvent) => boolean;
  onDragDrop?: (event: DragEvent) => Promise<boolean>;
  connect?(slot: number, target: ComfyNode, input: number): unknown;
  getInputLink?(slot: number): ComfyLink | null;
  getInputNode?(slot: number): ComfyNode | null | undefined;
  computeSize(): number[];
  setSize(size: number[]): void;
}

/** What a node has sent to the front end: lists, by the key of its output. */
type NodeOutput = Record<string, string[] | undefined> | undefined;

interface ComfyGraph {
  id?: NodeId;
  nodes: ComfyNode[];
  links?: Record<NodeId, ComfyLink>;
  getLink?(id: NodeId): ComfyLink | undefined;
  getNodeById?(id: NodeId): ComfyNode | null | undefined;
  setDirtyCanvas(foreground: boolean, background: boolean): void;
  add?(node: ComfyNode): unknown;
  trigger?(kind: string, event: object): void;
}

interface BadgeOptions {
  text: string;
  fgColor: string;
  bgColor: string;
  onClick?: () => void;
}

interface Window {
  LGraphBadge?: new (options: BadgeOptions) => object;
  LiteGraph?: { createNode(kind: string): ComfyNode | null };
  LGraphCanvas?: { link_type_colors?: Record<string, string> };
}

interface ComfyCanvas {
  canvas?: HTMLCanvasElement;
  /** The graph on the screen. */
  graph?: ComfyGraph | null;
  selectedItems?: Set<ComfyNode>;
  default_connection_color_byType?: Record<string, string>;
  setDirty?(foreground: boolean, background: boolean): void;
  emitBeforeChange?(): void;
  emitAfterChange?(): void;
  processMouseWheel?(event: WheelEvent): void;
}

interface PromptNode {
  class_type: string;
  inputs: Record<string, unknown>;
  _meta?: { title: string };
}

type Prompt = Record<string, PromptNode>;

interface PromptError {
  class_type: string;
  errors: { details?: string; extra_info?: { received_value?: string } }[];
}

interface SavedGraph {
  id?: NodeId;
  nodes?: { id: NodeId; size: number[] }[];
  definitions?: { subgraphs?: SavedGraph[] };
}

interface ChangeTracker {
  activeState?: SavedGraph;
  constructor: { isLoadingGraph?: boolean };
  _restoringState?: boolean;
  captureCanvasState?(): void;
  checkState?(): void;
}

interface ToastMessage {
  severity: "success";
  summary: string;
  detail: string;
  /** Milliseconds. */
  life: number;
}

interface ExtensionManager {
  setting?: { get?(id: string): unknown };
  toast?: { add(message: ToastMessage): void };
  command: { commands?: { id: string }[]; execute(id: string): Promise<unknown> };
  workflow?: { activeWorkflow?: { path?: string; changeTracker?: ChangeTracker } | null };
}

interface ComfyExtension {
  name: string;
  commands?: object[];
  menuCommands?: object[];
  settings?: object[];
  getNodeMenuItems?(node: ComfyNode): object[];
  beforeRegisterNodeDef?(kind: { color?: string }, definition: { name: string }): void;
  setup?(): void | Promise<void>;
  nodeCreated?(node: ComfyNode): void;
  loadedGraphNode?(node: ComfyNode): void;
  /** After the definitions of nodes were read again. */
  refreshComboInNodes?(): void | Promise<void>;
  afterConfigureGraph?(): void | Promise<void>;
}

interface ComfyApp {
  api: ComfyApi;
  canvas: ComfyCanvas;
  graph: ComfyGraph;
  rootGraph?: ComfyGraph;
  extensionManager?: ExtensionManager;
  ui?: { settings?: { getSettingValue?(id: string): unknown } };
  lastNodeErrors?: Record<string, PromptError> | null;
  nodeOutputs?: Record<string, NodeOutput>;
  registerExtension(extension: ComfyExtension): void;
  graphToPrompt(): Promise<{ output: Prompt }>;
  refreshComboInNodes(): Promise<void>;
}

interface ComfyApi {
  apiURL(path: string): string;
  fetchApi(path: string, options?: RequestInit): Promise<Response>;
  queuePrompt?(...given: unknown[]): Promise<{ prompt_id?: string } | undefined>;
  /** Names of templates, by the folder of the pack. */
  getWorkflowTemplates?(...given: unknown[]): Promise<Record<string, string[]>>;
  addEventListener(kind: string, listener: (event: CustomEvent) => void): void;
}
