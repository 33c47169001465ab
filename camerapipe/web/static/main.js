/** Start of the studio. */

import { Studio } from "./studio.js";

const answer = await fetch("/studio/start");
new Studio(await answer.json()).begin();
