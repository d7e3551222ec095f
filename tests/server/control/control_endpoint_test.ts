import { assert, assertEquals } from "@std/assert";
import { controlSocketOf } from "../../../lib/provision/state_folder.ts";
import { ControlEndpoint } from "../../../lib/server/control/control_endpoint.ts";
import { systemClock } from "../../../lib/server/system.ts";
import { handlersWith } from "../../control/_handlers.ts";
import { withScratch } from "../../provision/scratch.ts";
import { KeptLog } from "../_serving.ts";

Deno.test("ControlEndpoint that could not be opened is retried at the next reload", () =>
  withScratch(async (storage) => {
    const log = new KeptLog();
    using endpoint = new ControlEndpoint(handlersWith({}), log, systemClock);
    const path = controlSocketOf(storage);
    await endpoint.moveTo(storage);
    assertEquals(log.lines, [
      `warning: Cannot accept requests at "${path}": No such file or directory (os error 2)`,
    ]);
    Deno.mkdirSync(`${storage}/.iscsi`);
    await endpoint.moveTo(storage);
    assert(Deno.lstatSync(path).isSocket);
    assertEquals(Deno.lstatSync(path).mode! & 0o777, 0o600);
    assertEquals(log.lines.length, 1);
  }));
