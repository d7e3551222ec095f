import { assertRejects } from "@std/assert";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import { settleState } from "../../lib/provision/settle_state.ts";
import { configOf } from "./conf.ts";
import { withScratch } from "./scratch.ts";

Deno.test("settleState() takes what is not there yet, or lies elsewhere, as it is", () =>
  withScratch(async (folder) => {
    await settleState(configOf(`storage=${folder}/none/deep`, "[a]", "size=1MB", "file=/none/at/all"));
    await settleState(configOf(`storage=${folder}`, "[a]", "size=1MB", "file=/dev/none"));
    await settleState(configOf(`storage=${folder}`, "[a]", "size=1MB", "file=/proc/self/fd/file"));
  }));

Deno.test("settleState() names what of the storage folder cannot be made durable", () =>
  withScratch(async (folder) => {
    // Folders of the process file system cannot be synced.
    Deno.symlinkSync("/proc/self/task", `${folder}/.iscsi`);
    await assertRejects(
      () => settleState(configOf(`storage=${folder}`, "[a]", "size=1MB")),
      ProvisionError,
      `Cannot put "${folder}/.iscsi" on stable storage: `,
    );
  }));
