// What the models manager says. Sentences of errors come from the server, in English.

const ENGLISH = {
  title: "InstantID models",
  intro:
    "The files that InstantID needs. Nothing is downloaded until you press Download; what has come is kept when it is interrupted, and every file is checked by its SHA-256 before it is put in place.",
  licence: "Read the licences first: they are their authors' conditions, not those of this software.",
  mirror: (url) => `Mirror: ${url}`,
  table: "Files of InstantID",
  columns: ["Get", "File", "Folder", "Size", "Licence", "Source", "State"],
  choose: (title) => `Get ${title}`,
  source: (title) => `Page of ${title}`,
  missing: "missing",
  present: "there",
  verified: "there, checked",
  other: "another file of this name; downloading replaces it",
  waiting: "waiting",
  fetching: "downloading",
  checking: "checking",
  done: "done",
  failed: "failed",
  cancelled: "stopped; what has come is kept",
  download: (size) => `Download (${size})`,
  nothing: "Download",
  cancel: "Stop download",
  close: "Close",
  complete: "Everything is there.",
  progress: (title) => `Progress of ${title}`,
  hint: "InstantID lacks model files.",
  open: "Get InstantID models",
  dismiss: "Not now",
  ready: "InstantID models are in place.",
  silent: "ComfyUI's server does not answer. Look at its console, and try again.",
};

const CHINESE = {
  title: "InstantID 模型",
  intro:
    "InstantID 所需的文件。按下“下载”之前不会下载任何内容；中断后已下载的部分会保留，每个文件经 SHA-256 校验后才放入文件夹。",
  licence: "请先阅读许可：这是各作者的条件，与本软件的许可无关。",
  mirror: (url) => `镜像：${url}`,
  table: "InstantID 的文件",
  columns: ["获取", "文件", "文件夹", "大小", "许可", "来源", "状态"],
  choose: (title) => `获取 ${title}`,
  source: (title) => `${title} 的页面`,
  missing: "缺少",
  present: "已有",
  verified: "已有，已校验",
  other: "同名的另一个文件；下载会替换它",
  waiting: "等待中",
  fetching: "下载中",
  checking: "校验中",
  done: "完成",
  failed: "失败",
  cancelled: "已停止；已下载的部分保留",
  download: (size) => `下载（${size}）`,
  nothing: "下载",
  cancel: "停止下载",
  close: "关闭",
  complete: "所有文件都已具备。",
  progress: (title) => `${title} 的进度`,
  hint: "InstantID 缺少模型文件。",
  open: "获取 InstantID 模型",
  dismiss: "以后再说",
  ready: "InstantID 模型已就位。",
  silent: "ComfyUI 服务器没有响应。请查看其控制台后重试。",
};

/** Texts for a locale of the editor, such as "zh" or "en". */
export function textsFor(locale) {
  return String(locale).startsWith("zh") ? CHINESE : ENGLISH;
}

/** "1.69 GB" or "361 MB", in powers of ten as download pages count. */
export function readableSize(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
