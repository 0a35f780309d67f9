"""Functions of JavaScript that `Editor` evaluates in the page."""

READY = """() => Boolean(window.app?.vueAppReady && window.LiteGraph &&
    window.app.extensionManager?.workflow.activeWorkflow)"""
"""Whether nodes can be made."""
START_AGAIN = """async (settings) => {
    const { app } = window;
    const { command, setting, sidebarTab, toast, workflow } = app.extensionManager;
    // The next run clears what the last one failed with.
    if (app.lastExecutionError)
        for (const kind of ["execution_start", "execution_success"])
            app.api.dispatchEvent(new CustomEvent(kind, { detail: { prompt_id: "none" } }));
    if (app.lastNodeErrors || app.lastExecutionError) return false;
    // The hint comes once per page.
    document.querySelectorAll(".instantid-hint, .instantid-message").forEach((it) => it.remove());
    for (const [id, value] of Object.entries(settings))
        if (setting.get(id) !== value) await setting.set(id, value);
    await command.execute("Comfy.NewBlankWorkflow");
    for (const one of [...workflow.openWorkflows])
        if (one !== workflow.activeWorkflow) await workflow.closeWorkflow(one);
    if (sidebarTab.activeSidebarTabId) sidebarTab.toggleSidebarTab(sidebarTab.activeSidebarTabId);
    (toast.removeAll ?? toast.dismissAll)();
    app.canvas.ds.reset();
    return !app.graph.nodes.length;
}"""
"""An empty workflow; false if the page shows more than workflows. Takes the settings to restore."""
SETTLED = """async () => {
    const { app } = window, frame = () => new Promise(requestAnimationFrame);
    const look = () => JSON.stringify([
        app.canvas.ds.scale, ...app.canvas.ds.offset,
        ...app.graph.nodes.map((node) => [...node.pos, ...node.size]),
        ...[...document.querySelectorAll("[data-node-id], .dom-widget")].map((element) =>
            Object.values(element.getBoundingClientRect().toJSON())),
    ]);
    let last = "", same = 0;
    for (let count = 0; same < 3 && count < 200; count += 1) {
        await frame();
        const now = look();
        same = now === last ? same + 1 : 0;
        last = now;
    }
}"""
"""Waits until nothing in the graph has moved or grown for three frames."""
FRAMES = """(() => {
    const next = requestAnimationFrame.bind(window), cancel = cancelAnimationFrame.bind(window);
    const waiting = new Map();
    let resting = false;
    window.requestAnimationFrame = (callback) => {
        const id = next((time) => (resting ? waiting.set(id, callback) : callback(time)));
        return id;
    };
    window.cancelAnimationFrame = (id) => {
        waiting.delete(id);
        cancel(id);
    };
    window.restFrames = (rests) => {
        resting = rests;
        if (rests) return;
        const held = [...waiting.values()];
        waiting.clear();
        held.forEach((callback) => requestAnimationFrame(callback));
    };
})();"""
"""Lets a page rest: an editor that nobody looks at draws 60 frames a second, a tenth of a core."""
