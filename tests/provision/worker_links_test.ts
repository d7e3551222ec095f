import {
  atomicJournalOf,
  reservationsFileOf,
  sanitizeFileOf,
  workerFoldersOf,
  workerPlaceOf,
} from "../../lib/provision/state_folder.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { HelperResult } from "../../lib/provision/run_helper.ts";
import { type BackingExport, WorkerLinks } from "../../lib/provision/worker_links.ts";
import { moveFormerState, moveUnitState, prepareWorkerState } from "../../lib/provision/worker_state.ts";
import { findMountObstacle, findSysfsObstacle, testUnless } from "../support/obstacles.ts";
import { runScript } from "../support/run_script.ts";
import { runToolOk } from "../support/tools.ts";
import { withHelperOutput } from "../support/helper_output.ts";
import { snapshot, withScratch } from "./scratch.ts";

const NO_PROGRAMS = {
  runNow(): never {
    throw new Error("no program is to be run");
  },
};

function noWarning(message: string): never {
  throw new Error(message);
}

function file(path: string, readOnly = false): BackingExport {
  return { path, readOnly };
}

function nameIn(folder: string, link: string): string {
  assert(link.startsWith(`${folder}/`), link);
  return link.slice(folder.length + 1).replace(/\d+$/, "N");
}

Deno.test("WorkerLinks links to the real paths of files, once, and removes entries of earlier processes", () =>
  withScratch((folder) => {
    const storage = `${folder}/storage`;
    Deno.mkdirSync(`${storage}/.iscsi/links/read-write`, { recursive: true });
    Deno.writeTextFileSync(`${storage}/.iscsi/links/read-write/left`, "");
    Deno.writeTextFileSync(`${storage}/.iscsi/links/earlier`, "");
    Deno.symlinkSync(`${folder}/none`, `${storage}/.iscsi/links/read-write/1`);
    Deno.mkdirSync(`${folder}/real`);
    Deno.writeTextFileSync(`${folder}/real/disk`, "here");
    Deno.symlinkSync(`${folder}/real`, `${folder}/way`);
    const links = new WorkerLinks(workerPlaceOf(storage), NO_PROGRAMS);
    assertEquals(links.renew([]), { links: new Map(), faults: new Map() });
    const path = `${folder}/way/disk`;
    const made = links.extend([file(path)]);
    const link = made.links.get(path)!;
    assertEquals(Deno.readLinkSync(link), `${folder}/real/disk`);
    assertEquals(Object.keys(snapshot(`${storage}/.iscsi/links`)), [
      "read-only",
      "read-write",
      "read-write/2",
    ]);
    assertEquals(Deno.lstatSync(`${storage}/.iscsi/links/read-only`).mode! & 0o777, 0o700);
    assertEquals(links.extend([file(path)]), made);
    Deno.mkdirSync(`${folder}/other`);
    Deno.writeTextFileSync(`${folder}/other/disk`, "there");
    Deno.removeSync(`${folder}/way`);
    Deno.symlinkSync(`${folder}/other`, `${folder}/way`);
    assertEquals(Deno.readTextFileSync(links.extend([file(path)]).links.get(path)!), "there");
  }));

Deno.test("WorkerLinks takes over the links that are there, and nothing else", () =>
  withScratch((storage) => {
    const [a, b] = [`${storage}/a`, `${storage}/b`];
    for (const path of [a, b]) Deno.writeTextFileSync(path, "");
    const before = new WorkerLinks(workerPlaceOf(storage), NO_PROGRAMS).renew([file(a), file(b)]).links;
    const folder = `${storage}/.iscsi/links/read-write`;
    Deno.mkdirSync(`${folder}/folder`);
    Deno.writeTextFileSync(`${folder}/file`, "");
    // As a worker could have left it: the names exchanged, and one link twice.
    Deno.renameSync(before.get(a)!, `${folder}/7`);
    Deno.renameSync(before.get(b)!, before.get(a)!);
    Deno.symlinkSync(a, `${folder}/again`);
    const links = new WorkerLinks(workerPlaceOf(storage), NO_PROGRAMS);
    const after = links.renew([file(a), file(b, true)]).links;
    assertEquals([...after.values()].map((link) => Deno.readLinkSync(link)), [a, b]);
    assertEquals([...Deno.readDirSync(folder)].length, 1);
    // The folder itself may have been moved, too.
    Deno.removeSync(folder, { recursive: true });
    Deno.symlinkSync(storage, folder);
    assertEquals(links.renew([file(a)]).links, new Map([[a, `${folder}/1`]]));
    assertEquals([Deno.lstatSync(folder).isDirectory, Deno.statSync(b).isFile], [true, true]);
  }));

Deno.test("WorkerLinks has what may not be written in a folder of its own, and moves it when that changes", () =>
  withScratch((storage) => {
    const [a, b] = [`${storage}/a`, `${storage}/b`];
    for (const path of [a, b]) Deno.writeTextFileSync(path, "");
    const links = new WorkerLinks(workerPlaceOf(storage), NO_PROGRAMS);
    const folder = `${storage}/.iscsi/links`;
    const before = links.renew([file(a), file(b, true)]).links;
    assertEquals([...before.values()].map((link) => nameIn(folder, link)), ["read-write/N", "read-only/N"]);
    const after = links.extend([file(a, true), file(b)]).links;
    assertEquals([...after.values()].map((link) => nameIn(folder, link)), ["read-only/N", "read-write/N"]);
    links.retain(after.values());
    const left = (name: string): string[] =>
      [...Deno.readDirSync(`${folder}/${name}`)].map((entry) =>
        Deno.readLinkSync(`${folder}/${name}/${entry.name}`)
      );
    assertEquals([left("read-only"), left("read-write")], [[a], [b]]);
    assertEquals(links.extend([file(a)]).links.get(a) === before.get(a), false);
  }));

Deno.test("WorkerLinks makes hard links when it cannot make symbolic ones", () =>
  withScratch((storage) => {
    const path = `${storage}/a`;
    Deno.writeTextFileSync(path, "here");
    const links = new WorkerLinks(workerPlaceOf(storage), NO_PROGRAMS);
    const { symlinkSync } = Deno;
    Deno.symlinkSync = () => {
      throw new Error("No space left on device (os error 28)");
    };
    try {
      const made = links.renew([file(path), file("/proc/self/status")]);
      const link = made.links.get(path)!;
      assertEquals([Deno.readTextFileSync(link), Deno.statSync(link).ino], ["here", Deno.statSync(path).ino]);
      assertStringIncludes(made.faults.get("/proc/self/status")!, "No space left");
      links.retain([]);
      assertEquals(Deno.readTextFileSync(path), "here");
    } finally {
      Deno.symlinkSync = symlinkSync;
    }
  }));

Deno.test("WorkerLinks names a missing file, and links the others", () =>
  withScratch((folder) => {
    Deno.writeTextFileSync(`${folder}/some`, "");
    const links = new WorkerLinks(workerPlaceOf(folder), NO_PROGRAMS);
    const made = links.renew([file(`${folder}/none`), file(`${folder}/some`)]);
    assertEquals([...made.links.keys()], [`${folder}/some`]);
    assertEquals([...made.faults.keys()], [`${folder}/none`]);
    assertStringIncludes(made.faults.get(`${folder}/none`)!, `"${folder}/none"`);
  }));

testUnless(
  findSysfsObstacle(),
  "WorkerLinks names a missing device",
  () =>
    withScratch((folder) => {
      const links = new WorkerLinks(workerPlaceOf(folder), NO_PROGRAMS);
      const { faults } = links.renew([{
        path: "/dev/none",
        readOnly: false,
        device: { number: "7:0", layers: [] },
      }]);
      const message = 'Cannot serve "/dev/none": it is not a block device, or does not exist';
      assertEquals(faults, new Map([["/dev/none", message]]));
    }),
);

Deno.test("WorkerLinks makes a node of a device, once, and removes it and no link when no worker runs", () =>
  withScratch((storage) => {
    const path = `${storage}/a`;
    Deno.writeTextFileSync(path, "");
    const runs: (readonly string[])[] = [];
    // To make a node takes rights that a container may not have; a file in its place is opened alike.
    const guard = {
      runNow(program: string, args: readonly string[]): HelperResult {
        runs.push([program, ...args]);
        Deno.writeTextFileSync(args[2]!, "");
        return { success: true, stdout: "", stderr: "" };
      },
    };
    const device = { path: "/dev/sdx", readOnly: true, device: { number: "7:0", layers: [] } };
    const node = `${storage}/.iscsi/links/read-only/7:256`;
    const links = new WorkerLinks(workerPlaceOf(storage), guard);
    withHelperOutput({ stdout: "7:256 1024 1 \n" }, () => {
      const made = links.renew([file(path), device]);
      assertEquals([made.links.get(device.path), made.faults], [node, new Map()]);
      assertEquals(links.extend([device]).links.get(device.path), node);
      assertEquals(runs, [["mknod", "-m", "600", node, "b", "7", "256"]]);
      links.removeNodes();
      assertEquals(Object.keys(snapshot(`${storage}/.iscsi/links`)), [
        "read-only",
        "read-write",
        "read-write/1",
      ]);
      links.extend([device]);
      assertEquals(runs.length, 2);
    });
  }));

Deno.test("moveFormerState() moves what an earlier version has left to the folders of prepareWorkerState()", () =>
  withScratch((storage) => {
    const state = `${storage}/.iscsi`;
    Deno.mkdirSync(`${state}/holes/run`, { recursive: true });
    Deno.mkdirSync(`${state}/devices`);
    const journal = "atomic-3000000000000001.journal";
    Deno.writeTextFileSync(`${state}/${journal}`, "of the version before");
    Deno.writeTextFileSync(`${state}/identities.json`, "{}");
    const prepare = (): void => {
      prepareWorkerState(workerPlaceOf(storage), noWarning);
      moveFormerState(storage);
    };
    prepare();
    const expected = ["identities.json", "journals", `journals/${journal}`];
    assertEquals(Object.keys(snapshot(state)), expected);
    assertEquals(Deno.readTextFileSync(`${state}/journals/${journal}`), "of the version before");
    prepare();
    assertEquals(Object.keys(snapshot(state)), expected);
  }));

Deno.test("moveUnitState() brings the state of units to their worker, and leaves that of others", () =>
  withScratch(async (storage) => {
    const [main, other, third] = [
      workerPlaceOf(storage),
      workerPlaceOf(storage, 1),
      workerPlaceOf(storage, 2),
    ];
    const naas = ["3000000000000001", "3000000000000002"] as const;
    for (const place of [main, other, third]) {
      for (const folder of workerFoldersOf(place)) Deno.mkdirSync(folder, { recursive: true });
    }
    const filesIn = (place: string): string[] =>
      workerFoldersOf(place).flatMap((folder) => [...Deno.readDirSync(folder)].map(({ name }) => name))
        .toSorted();
    for (const naa of naas) {
      Deno.writeTextFileSync(reservationsFileOf(main, naa), `reservations of ${naa}`);
      Deno.writeTextFileSync(`${atomicJournalOf(main, naa)}.kept`, "");
    }
    Deno.writeTextFileSync(sanitizeFileOf(third, naas[0]), "");
    const before = filesIn(main).filter((name) => name.includes(naas[1]));
    await moveUnitState(storage, other, [naas[0].toUpperCase()]);
    assertEquals([filesIn(main), filesIn(third)], [before, []]);
    assertEquals(Deno.readTextFileSync(reservationsFileOf(other, naas[0])), `reservations of ${naas[0]}`);
    assertEquals(filesIn(other).length, 3);
    await moveUnitState(storage, main, naas);
    assertEquals([filesIn(main).length, filesIn(other)], [5, []]);
  }));

Deno.test("moveUnitState() keeps of two files the one that was written last", () =>
  withScratch(async (storage) => {
    const [main, other] = [workerPlaceOf(storage), workerPlaceOf(storage, 1)];
    const naa = "3000000000000001";
    for (const place of [main, other]) {
      for (const folder of workerFoldersOf(place)) Deno.mkdirSync(folder, { recursive: true });
    }
    const write = (place: string, text: string, seconds: number): void => {
      const path = reservationsFileOf(place, naa);
      Deno.writeTextFileSync(path, text);
      Deno.utimeSync(path, seconds, seconds);
    };
    for (const [from, to] of [[main, other], [other, main]] as const) {
      for (const [fromSeconds, toSeconds, expected] of [[1, 2, "there"], [2, 1, "here"]] as const) {
        write(from, "here", fromSeconds);
        write(to, "there", toSeconds);
        await moveUnitState(storage, to, [naa]);
        assertEquals(Deno.readTextFileSync(reservationsFileOf(to, naa)), expected);
        assertEquals([...Deno.readDirSync(workerFoldersOf(from)[1]!)], []);
      }
    }
  }));

/** Runs code with a `WorkerLinks` in a process that has rights to one storage folder only. */
function runScoped(storage: string, code: string): Promise<string> {
  const script = `import { WorkerLinks } from "lib/provision/worker_links.ts";
    const links = new WorkerLinks(${JSON.stringify(workerPlaceOf(storage))}, {});
    const extend = (path) => links.extend([{ path, readOnly: false }]);
    const read = (path) => Deno.readTextFileSync(extend(path).links.get(path));
    links.renew([]);
    ${code}`;
  return runScript(script, { rights: [`--allow-read=${storage}`, `--allow-write=${storage}`] });
}

Deno.test("WorkerLinks uses hard links without the right to make symbolic ones, and follows the file of a path", () =>
  withScratch(async (storage) => {
    const disk = `${storage}/disk`;
    Deno.writeTextFileSync(disk, "first");
    const replace =
      `Deno.writeTextFileSync("${disk}.new", "second"); Deno.renameSync("${disk}.new", "${disk}");`;
    const code = `console.log(read("${disk}")); console.log(read("${disk}"));
      ${replace} console.log(read("${disk}"), Deno.statSync("${disk}").nlink);
      links.removeNodes(); console.log(Deno.statSync("${disk}").nlink);`;
    assertEquals(await runScoped(storage, code), "first\nfirst\nsecond 2\n1\n");
    assertEquals([...Deno.readDirSync(`${storage}/.iscsi/links/read-write`)], []);
  }));

Deno.test("WorkerLinks makes a hard link of a storage folder that is reached by a symbolic link", () =>
  withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/real`);
    Deno.symlinkSync("real", `${folder}/storage`);
    Deno.writeTextFileSync(`${folder}/real/disk`, "here");
    assertEquals(
      await runScoped(`${folder}/storage`, `console.log(read("${folder}/storage/disk"))`),
      "here\n",
    );
  }));

testUnless(
  findMountObstacle(),
  "WorkerLinks names the remedy for a file on another file system",
  () =>
    withScratch(async (storage) => {
      Deno.mkdirSync(`${storage}/other`);
      await runToolOk("mount", ["-t", "tmpfs", "none", `${storage}/other`]);
      try {
        Deno.writeTextFileSync(`${storage}/other/disk`, "");
        const said = await runScoped(
          storage,
          `console.log(...extend("${storage}/other/disk").faults.values())`,
        );
        assertStringIncludes(said, `Cannot create a link to "${storage}/other/disk": `);
        assertStringIncludes(said, "put it on the file system of the storage folder");
      } finally {
        await runToolOk("umount", [`${storage}/other`]);
      }
    }),
);
