/** The shells that make the holes of one run of the server, with stand-ins for `fallocate`. */
import { assert, assertEquals } from "@std/assert";
import { delay } from "../../lib/base/delay.ts";
import { ALL_PROGRAMS_MAX, HolePrograms, PROGRAMS_MAX } from "../../lib/provision/hole_programs.ts";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import { guardWith } from "./fallocate_stand_in.ts";
import { withScratch } from "./scratch.ts";
import { until } from "../support/until.ts";

const RANGE = { offset: 0, lengthBytes: 4096 };

/** Makes a hole, in its turn. */
async function punch(programs: HolePrograms, fileSystem: number, path: string): Promise<string | undefined> {
  using place = await programs.slotIn(fileSystem);
  return await place.punch(path, [RANGE]);
}

/** A program that waits while there is `gate`, when it is to make a hole in `/hung`. */
function hangingIn(folder: string): { readonly program: string; readonly gate: string; running(): number } {
  const gate = `${folder}/gate`;
  Deno.writeTextFileSync(gate, "");
  return {
    gate,
    program:
      `case "$*" in *" /hung") : >"${folder}/running.$$"; while [ -e "${gate}" ]; do sleep 0.02; done; esac`,
    running: () => [...Deno.readDirSync(folder)].filter(({ name }) => name.startsWith("running.")).length,
  };
}

Deno.test("HolePrograms starts as many shells as run at a time, for any number of holes", () =>
  withScratch(async (folder) => {
    const guard = guardWith(folder, "exit 0");
    await using programs = new HolePrograms(guard);
    const holes = Array.from({ length: 50 }, () => punch(programs, 1, "/disk"));
    assertEquals(await Promise.all(holes), Array(50).fill(undefined));
    assertEquals(guard.shells.length, PROGRAMS_MAX);
  }));

Deno.test("HolePrograms runs the program that a hole asks for, each in shells of its own", () =>
  withScratch(async (folder) => {
    const guard = guardWith(folder, 'echo "fallocate $*" >&2; exit 1');
    Deno.writeTextFileSync(`${folder}/blkdiscard`, '#!/bin/sh\necho "discard $*" >&2; exit 1\n', {
      mode: 0o755,
    });
    await using programs = new HolePrograms(guard);
    const faults: (string | undefined)[] = [];
    for (const program of ["fallocate", "blkdiscard", "fallocate", "blkdiscard"] as const) {
      using place = await programs.slotIn(1);
      faults.push(await place.punch("/disk", [RANGE], program));
    }
    const range = "--offset 0 --length 4096 /disk";
    assertEquals(faults.slice(2), [
      `fallocate --punch-hole --keep-size ${range}`,
      `discard --force ${range}`,
    ]);
    assertEquals(guard.shells.length, 2);
  }));

Deno.test("HolePrograms starts a shell again that was killed between two holes", () =>
  withScratch(async (folder) => {
    const guard = guardWith(folder, "exit 0");
    await using programs = new HolePrograms(guard);
    for (let hole = 0; hole < 3; hole++) {
      // The one that was killed may not have been noticed yet.
      for (let tries = 0; await punch(programs, 1, "/disk") !== undefined; tries++) assert(tries < 100);
      const shell = guard.shells.at(-1)!;
      shell.kill("SIGKILL");
      await shell.status;
    }
    assertEquals(guard.shells.length, 3);
  }));

Deno.test("HolePrograms delays no hole by a file system that hangs", () =>
  withScratch(async (folder) => {
    const hanging = hangingIn(folder);
    const guard = guardWith(folder, hanging.program);
    await using programs = new HolePrograms(guard);
    const hung = Array.from({ length: 3 * PROGRAMS_MAX }, () => punch(programs, 1, "/hung"));
    await until(() => hanging.running() === PROGRAMS_MAX, "the holes hang");
    for (let hole = 0; hole < 10; hole++) assertEquals(await punch(programs, 2, "/disk"), undefined);
    assertEquals(hanging.running(), PROGRAMS_MAX);
    assertEquals(guard.shells.length, PROGRAMS_MAX + 1);
    Deno.removeSync(hanging.gate);
    assertEquals(await Promise.all(hung), hung.map(() => undefined));
  }));

Deno.test("HolePrograms limits the programs of all file systems together", () =>
  withScratch(async (folder) => {
    const hanging = hangingIn(folder);
    const guard = guardWith(folder, hanging.program);
    await using programs = new HolePrograms(guard);
    const hung = Array.from(
      { length: 2 * ALL_PROGRAMS_MAX },
      (_, fileSystem) => punch(programs, fileSystem, "/hung"),
    );
    await until(() => hanging.running() === ALL_PROGRAMS_MAX, "as many holes hang as may be under way");
    for (let turn = 0; turn < 20; turn++) await delay(5);
    assertEquals(guard.shells.length, ALL_PROGRAMS_MAX);
    Deno.removeSync(hanging.gate);
    assertEquals(await Promise.all(hung), hung.map(() => undefined));
  }));

Deno.test("HolePrograms ends the shells of many file systems that were busy at once", () =>
  withScratch(async (folder) => {
    const hanging = hangingIn(folder);
    const guard = guardWith(folder, hanging.program);
    await using programs = new HolePrograms(guard);
    const hung = Array.from({ length: 9 }, (_, fileSystem) => punch(programs, fileSystem, "/hung"));
    await until(() => hanging.running() === hung.length, "the holes hang");
    Deno.removeSync(hanging.gate);
    await Promise.all(hung);
    const running = new Set(guard.shells);
    for (const shell of guard.shells) shell.status.then(() => running.delete(shell));
    await until(() => running.size <= 2 * PROGRAMS_MAX, "shells end");
    assert(running.size > 0);
  }));

Deno.test("HolePrograms returns why no shell can be started", async () => {
  const startShell = (): never => {
    throw new ProvisionError("no space");
  };
  await using programs = new HolePrograms({ startShell });
  for (let hole = 0; hole < 2 * PROGRAMS_MAX; hole++) {
    assertEquals(await punch(programs, 1, "/disk"), "no space");
  }
});
