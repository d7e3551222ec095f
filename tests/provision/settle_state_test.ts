import { assertEquals, assertRejects } from "@std/assert";
import { dirname } from "@std/path";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import { settleState } from "../../lib/provision/settle_state.ts";
import { configOf } from "./conf.ts";
import { WatchedDisk } from "../support/watched_disk.ts";
import { withScratch } from "./scratch.ts";

Deno.test("settleState() ignores paths that are missing or elsewhere", () =>
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

Deno.test("settleState() puts the identities and all names of files on the disk, up to the root", () =>
  withScratch(async (folder) => {
    const state = `${folder}/s/.iscsi`;
    const made = [`${state}/journals`, `${state}/reservations`, `${state}/sanitize`, `${folder}/far`];
    for (const path of made) Deno.mkdirSync(path, { recursive: true });
    Deno.writeTextFileSync(`${state}/identities.json`, "{}");
    const above: string[] = [];
    for (let path = folder; path !== "/"; path = dirname(path)) above.push(dirname(path));
    using disk = new WatchedDisk();
    await settleState(configOf(`storage=${folder}/s`, "[a]", "size=1MB", `file=${folder}/far/a`));
    const expected = [...above, ...made, folder, `${folder}/s`, state, `${state}/identities.json`];
    assertEquals(disk.synced, expected.sort());
  }));

Deno.test("settleState() is not done before the disk is", () =>
  withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi`);
    const { sync } = Deno.FsFile.prototype;
    Deno.FsFile.prototype.sync = () => Promise.reject(new Error("Input/output error (os error 5)"));
    try {
      await assertRejects(
        () => settleState(configOf(`storage=${folder}`, "[a]", "size=1MB")),
        ProvisionError,
        "on stable storage: Input/output error",
      );
    } finally {
      Deno.FsFile.prototype.sync = sync;
    }
  }));
