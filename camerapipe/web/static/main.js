/** Start of the studio. */

import { Opening } from "./opening.js";
import { Studio } from "./studio.js";

const opening = new Opening(); // files are taken from the first moment on
const answer = await fetch("/studio/start");
new Studio(await answer.json(), opening).begin();
