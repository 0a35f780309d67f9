/** Check InstantID: a command and an entry in the menu that open the Doctor's dialog. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { DoctorDialog } from "./doctor/dialog.js";
import { ask } from "./shared/server.js";
import { texts } from "./texts/texts.js";

const COMMAND = "InstantIDCompose.Check";
const ROUTE = "/instantid_compose/doctor";

/** @type {DoctorDialog | undefined} made when it is first opened, in the front end's language */
let dialog;

function open() {
  const examine = () => ask(api, ROUTE, { method: "GET" }, texts().models.silent);
  dialog ??= new DoctorDialog(examine, texts().doctor);
  return dialog.open();
}

app.registerExtension({
  name: "InstantIDCompose.Check",
  commands: [
    {
      id: COMMAND,
      label: "Check InstantID",
      menubarLabel: "Check InstantID",
      icon: "pi pi-heart",
      function: open,
    },
  ],
  menuCommands: [{ path: ["Extensions"], commands: [COMMAND] }],
});
