/**
 * All texts in Simplified Chinese. `english.js` has the same keys in the same order.
 *
 * @typedef {import("./english.js").Texts} Texts
 */

import { CHINESE_VIEWS } from "./choices.js";

/** @type {Texts["models"]} */
const models = {
  title: "InstantID 模型",
  intro:
    "InstantID 所需的文件。按下“下载”之前不会下载任何内容；中断的下载会从断点继续，每个文件都经 SHA-256 校验后才放入文件夹。",
  licence: "请先阅读许可：许可由文件的作者规定，与本软件的许可无关。",
  mirror: (url) => `镜像：${url}`,
  table: "InstantID 文件",
  columns: ["获取", "文件", "文件夹", "大小", "许可", "来源", "状态"],
  choose: (title) => `获取 ${title}`,
  source: (title) => `${title} 的网页`,
  missing: "缺少",
  absent: "未下载",
  present: "已有",
  verified: "已有，已校验",
  other: "存在同名的其他文件；下载会将其替换",
  waiting: "等待中",
  fetching: "下载中",
  checking: "校验中",
  done: "完成",
  failed: "失败",
  cancelled: "已停止；已下载的部分会保留",
  download: (size) => `下载（${size}）`,
  nothing: "下载",
  cancel: "停止下载",
  close: "关闭",
  complete: "InstantID 所需的文件均已就绪。",
  optional: "可选：用于 InstantID Load Adapter 的 IP-Adapter FaceID，以及它的人脸模型",
  progress: (title) => `${title} 的进度`,
  hint: "InstantID 缺少模型文件。",
  lackingFiles: (names, size) => `InstantID 缺少模型文件：${names}。共需下载 ${size}。`,
  noSuchFile: (name) =>
    `此工作流指定了 ${name}，但该文件不存在。请在其节点中选择其他文件，或获取已发布的文件。`,
  open: "获取 InstantID 模型",
  dismiss: "以后再说",
  ready: "InstantID 模型已就绪。",
  silent: "ComfyUI 服务器没有响应。请查看其控制台后重试。",
};

/** @type {Texts["picker"]} */
const picker = {
  beforeARun: "点击“寻找人脸”或运行工作流，人脸会显示在这里供选择。",
  find: "寻找人脸",
  findTitle: "只寻找人脸，不运行工作流的其余部分。",
  looking: "正在寻找人脸...",
  connectPhoto: "请先把照片连接到 image，把人脸分析器连接到 analyzer。",
  done: "完成",
  noFaceIn: (number) => `第 ${number} 张图像中没有检测到人脸。`,
  chosen: (number, count) => `已选人脸 ${number}，共找到 ${count} 张。点击可选择其他人脸。`,
  notInTheGraph: "此节点不会运行：它被静音、绕过或未连接。",
  faces: (number, count) => `第 ${number} 张图像（共 ${count} 张）中的人脸`,
  linked: (name) => `${name} 已连接到其他节点，在这里点击无法更改。`,
  noList: (numbers, index) =>
    `numbers 的内容是“${numbers}”，不是像 0, 2 这样的列表，因此使用人脸 ${index}。`,
  noFace: "这张图像中没有检测到人脸。",
  noSuchFace: "这张图像中没有该编号的人脸。点击人脸即可选择。",
  selected: (numbers, _chosen, count) =>
    `已选人脸 ${numbers}，共找到 ${count} 张。点击选择，按住 Shift 添加。`,
  everyPicture: "此选择对每张图像都有效。",
  previous: "上一张图像",
  place: (number, count) => `第 ${number} 张图像，共 ${count} 张`,
  next: "下一张图像",
  restored: (names) => `工作流文件中 ${names} 的值无效，已改用默认值。`,
  and: " 和 ",
  face: (number, score, size) => `人脸 ${number}，得分 ${score}，${size} 像素`,
  gone: "服务器上已没有这张图像。请重新运行工作流。",
};

/** @type {Texts["likeness"]} */
const likeness = {
  beforeARun: "运行工作流后，人脸及其得分会显示在这里。",
  list: "相似度",
  noScore: "没有得分：没有足够清晰的人脸。",
  one: (score, band) => `相似度 ${score}，${band}。`,
  mean: (known, count, score, band) =>
    `${count} 张图像中 ${known} 张的平均相似度：${score}，${band}。`,
  picture: (number) => `图像 ${number}`,
  result: "结果",
  reference: "参考",
  noPhoto: "没有照片：连接 reference_image 后会显示在这里。",
  crop: (caption) => `${caption}：人脸`,
  notAvailable: "无",
  score: (score, band) => `得分 ${score}（满分 1），${band}`,
  bands: { copy: "近乎复制", strong: "强", moderate: "中", weak: "弱" },
  reasons: { "no face": "没有人脸", "weak detection": "检测不可靠" },
};

/** @type {Texts["people"]} */
const people = {
  title: "人物",
  search: "搜索人物",
  choose: "选择",
  nobodyYet: "还没有保存任何人",
  nobody: "把一个身份连接到“InstantID 保存身份”节点并运行一次，这个人就会出现在这里。",
  noMatch: (search) => `没有与“${search}”相符的人。`,
  gone: "这里没有这个人",
  byWire: "由其他节点选择",
  elsewhere: "位于模型文件夹",
  rename: "重命名",
  renameName: (name) => `重命名 ${name}`,
  newName: (name) => `${name} 的新名称`,
  save: "保存",
  cancel: "取消",
  remove: "删除",
  removeName: (name) => `删除 ${name}`,
  sure: (name) => `要永久删除 ${name} 吗？`,
  keep: "保留",
  close: "关闭",
  batch: (count) => `${count} 个身份`,
  photos: (count) => `${count} 张照片`,
};

/** @type {Texts["result"]} */
const result = {
  beforeARun: "运行工作流后，结果会显示在这里。",
  name: "结果",
};

/** @type {Texts["pose"]} */
const pose = {
  button: "编辑姿态",
  tooltip: "手动拖动、转动和添加人脸。姿态保存在此节点中。",
  linked: (names) => `以下输入已连接，仍会作用于这里显示的人脸：${names}。`,
  fromPhoto: "此节点的人脸来自照片。点击“从照片关键点开始”即可载入。",
  badSide: (name, found, usual) => `画面的 ${name} 为 ${found}，改用 ${usual}。`,
  linkedSide: (name) => `${name} 已连接到其他节点；这里的画面采用控件中的值。`,
  fromPreset: (fault) => `${fault}编辑器改为从节点的预设开始。`,
  clearedPose: (fault) => `${fault}已清空 pose_json，以便工作流能够运行；撤销可将其恢复。`,
  severalPhotos: "此节点所在的子图被多次使用，各有自己的照片。请从所指的节点打开子图。",
  notAnObject: "姿态应为含有 version、extent 和 faces 的对象。",
  badVersion: (found, expected) => `姿态的版本应为 ${expected}，实际为 ${found}。`,
  badFaces: (found) => `姿态的 faces 应为列表，实际为 ${found}。`,
  tooLong: (longest) => `姿态的文本最多 ${longest} 个字符，实际更长。`,
  noJson: "姿态不是有效的 JSON。",
  badExtent: (found) => `姿态的 extent 应为整数像素 [宽, 高]，实际为 ${found}。`,
  badFace: (found) => `人脸应为五个点 [x, y]，以画面的比例表示，实际为 ${found}。`,
  nothing: "空",
  leadsNowhere: "此节点的 faces 输入没有连接到会运行的节点。",
  probe: "照片关键点",
};

/** @type {Texts["partialRun"]} */
const partialRun = {
  abandoned: "在服务器完成之前搜索已停止。",
  refused: (message, details) => `服务器拒绝了照片：${message} ${details}`,
  noReason: "未说明原因",
  noResult: "服务器在照片中没有找到任何内容。",
};

/** @type {Texts["editor"]} */
const editor = {
  title: "编辑姿态",
  shortHint: "拖动点或人脸 \u00b7 滚轮缩放 \u00b7 方向键微移 \u00b7 1-5 选点",
  help: "鼠标与键盘",
  mouse:
    "拖动一个点，或在人脸内部拖动以移动整张人脸；按住 Alt 则转动头部。上方的圆钮旋转，四角缩放。" +
    "按住 Shift 可保持一个方向，或以 15 度为步长旋转。滚轮缩放人脸，按住 Alt 则旋转，按住 Ctrl 则缩放画面。在人脸以外拖动，或用中键拖动，可移动画面。",
  keys:
    "方向键移动 1 像素，按住 Shift 移动 10 像素。1 至 5 选择一个点，0 或 Escape 选择整张人脸。" +
    "N 和 P 选择下一张和上一张人脸。加号和减号缩放，方括号旋转，M 镜像，A 添加人脸，Delete 删除。" +
    "Ctrl+Z 撤销，Ctrl+Shift+Z 重做。",
  undo: "撤销",
  redo: "重做",
  reset: "重置",
  resetTitle: "恢复节点其他设置给出的姿态；可以撤销",
  clear: "清除保存的姿态",
  clearTitle: "清空 pose_json，重新由预设和照片决定姿态",
  cancel: "取消",
  apply: "应用",
  unsaved: "修改尚未应用。",
  discard: "放弃修改",
  goOn: "继续编辑",
  keepChanges: "应用修改",
  zoom: "缩放画面",
  zoomIn: "放大画面",
  zoomOut: "缩小画面",
  zoomFit: "适合",
  zoomHint: "显示整个画面。按住 Ctrl 滚动滚轮，或用两根手指，可缩放画面。",
  canvas: "姿态画布",
  noFace: "没有人脸：按 A 或点击“添加人脸”。",
  place: (face, count) => `第 ${face} 张人脸，共 ${count} 张`,
  pointAt: (place, point, left, top) => `${place}，${point}位于 ${left} %，${top} %`,
  points: ["左眼", "右眼", "鼻尖", "左嘴角", "右嘴角"],
  faces: "人脸",
  face: (number) => `人脸 ${number}`,
  add: "添加人脸",
  remove: "删除",
  removeName: "删除人脸",
  outside: (count) => `有 ${count} 个点在画面外。`,
  bringBack: "移入画面",
  turn: "转动",
  yaw: "左右转动",
  pitch: "俯仰",
  roll: "侧倾",
  size: "大小与镜像",
  height: "人脸高度",
  mirrorFace: "镜像人脸",
  mirrorAll: "镜像所有人脸",
  views: "视角",
  view: CHINESE_VIEWS,
  photo: "描摹用照片",
  photoOpacity: "照片不透明度",
  openPhoto: "打开照片",
  connectedPhoto: "已连接的照片",
  noConnectedPhoto: "此节点的 faces 输入没有连接“加载图像”节点。",
  startFromPoints: "从照片关键点开始",
  noConnectedFaces: "此节点的 faces 输入没有连接。",
  looking: "正在已连接的照片中寻找人脸...",
  started: (count) => `已从照片中的 ${count} 张人脸开始。`,
  photoShown: "照片已显示在画面后面。",
  noPicture: "该文件无法作为图像读取。",
};

/** @type {Texts["doctor"]} */
const doctor = {
  title: "检查 InstantID",
  looking: "正在检查安装情况，需要几秒钟。",
  list: "检查结果",
  summary: (problems, notes, checks) =>
    `${problems} 个问题，${notes} 条提示，共 ${checks} 项检查。`,
  states: { problem: "问题", note: "提示", ok: "正常" },
  copy: "复制以便报告问题",
  copied: "已复制",
  notCopied: "无法复制",
  again: "重新检查",
  close: "关闭",
};

/** @type {Texts["messages"]} */
const messages = {
  failed: "InstantID 的节点执行失败",
  warnings: "InstantID 的消息",
  close: "关闭",
  offers: { models: "获取 InstantID 模型", check: "检查 InstantID" },
  marks: { error: "失败", warning: "查看消息" },
  again: "显示 InstantID 消息",
  fault: (name) =>
    `意外错误（${name}），详见 ComfyUI 的控制台。“检查 InstantID”可以查找安装方面的原因。`,
};

/** @type {Texts["photos"]} */
const photos = {
  use: "用作 InstantID 照片",
  noPicture: (name) => `需要照片，但得到的是 ${name}。请放入图片，例如 PNG 或 JPEG 文件。`,
  notStored: (name, reason) =>
    `服务器未能保存 ${name}（${reason}）。请查看其控制台，然后重新放入照片。`,
};

export const CHINESE = {
  models,
  doctor,
  messages,
  photos,
  picker,
  likeness,
  people,
  result,
  pose,
  partialRun,
  editor,
};
