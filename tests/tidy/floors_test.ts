import { assertEquals } from "@std/assert";
import { findBreaches, WORLDLY_FILES } from "./floors.ts";
import { readSources } from "./source_tree.ts";

/** Returns the breaches of an invented tree, in readable form. */
function breachesOf(tree: Readonly<Record<string, string>>): string[] {
  const files = Object.entries(tree).map(([path, text]) => ({ path, text }));
  return findBreaches(files).map(({ path, line, text }) => `${path}:${line} ${text}`);
}

Deno.test("every import in the house goes to the same folder or to a lower floor", () => {
  const sources = readSources();
  assertEquals(sources.some(({ path }) => path === "lib/bytes/big_endian.ts"), true);
  assertEquals(findBreaches(sources).map(({ path, line, text }) => `${path}:${line} ${text}`), []);
});

Deno.test("every file that may touch the world is there", () => {
  const paths = readSources().map(({ path }) => path);
  assertEquals(Object.values(WORLDLY_FILES).flat().filter((path) => !paths.includes(path)), []);
});

Deno.test("findBreaches() lets a file import its own folder, a lower floor, @std and the allowed packages", () => {
  const tree = {
    "main.ts":
      `import { run } from "./lib/cli/run.ts"; import conf from "./deno.json" with { type: "json" };`,
    "lib/cli/run.ts": `import "./help.ts"; import { a } from "../store/a.ts"; import { b } from "@std/path";`,
    "lib/cli/help.ts": `export * from "../config/config.ts";`,
    "lib/store/a.ts": `import type { Stats } from "node:fs"; import { isIP } from "node:net";`,
    "lib/config/config.ts": `export type A = import("../bytes/b.ts").B;`,
    "lib/bytes/b.ts": "export interface B { readonly crypto: number }",
    "lib/std/path/mod.ts": `export * from "npm:deno-std@1.4.0/path/mod.js"; export * from "./posix.ts";`,
    "lib/std/path/posix.ts": "export {};",
    "tests/a_test.ts": `import { a } from "../lib/store/a.ts"; import "npm:anything";`,
  };
  assertEquals(breachesOf(tree), []);
});

Deno.test("findBreaches() finds an import that goes up, in every form that an import has", () => {
  const forms = [
    `import { a } from "../iscsi/a.ts";`,
    `import "../iscsi/a.ts";`,
    `import type { A } from "../iscsi/a.ts";`,
    `export { a } from "../iscsi/a.ts";`,
    `export * from "../iscsi/a.ts";`,
    `const a = await import("../iscsi/a.ts");`,
    `type A = import("../iscsi/a.ts").A;`,
    `new Worker(new URL("../iscsi/a.ts", import.meta.url), { type: "module" });`,
  ];
  for (const form of forms) {
    assertEquals(
      breachesOf({ "lib/scsi/s.ts": `// a comment\n${form}` }),
      [`lib/scsi/s.ts:2 imports "../iscsi/a.ts": up, from lib/scsi to lib/iscsi`],
      form,
    );
  }
});

Deno.test("findBreaches() is not fooled by comments and strings", () => {
  const text = `
    // import "../iscsi/a.ts";
    /* Deno.exit() */
    const a = 'import "../iscsi/a.ts"; Deno.exit()';
    const b = \`import "../iscsi/a.ts"; Date.now()\`;
    const c = /import "..\\/iscsi\\/a.ts"/;
    const d = { crypto: 1, Date: 2 }.crypto;
  `;
  assertEquals(breachesOf({ "lib/scsi/s.ts": text }), []);
});

Deno.test("findBreaches() finds an import that goes sideways", () => {
  assertEquals(breachesOf({ "lib/store/a.ts": `import { b } from "../config/b.ts";` }), [
    `lib/store/a.ts:1 imports "../config/b.ts": sideways, from lib/store to lib/config`,
  ]);
});

Deno.test("findBreaches() knows the rooms within a folder", () => {
  const iscsi = (room: string, imported: string): string[] =>
    breachesOf({ [`lib/iscsi/${room}/a.ts`]: `import { b } from "../${imported}/b.ts";` });
  assertEquals([iscsi("node", "session"), iscsi("session", "pdu"), iscsi("wire", "pdu")], [[], [], []]);
  for (const [room, imported] of [["pdu", "session"], ["wire", "session"], ["session", "node"]] as const) {
    const fault = `up, from lib/iscsi/${room} to lib/iscsi/${imported}`;
    assertEquals(iscsi(room, imported), [`lib/iscsi/${room}/a.ts:1 imports "../${imported}/b.ts": ${fault}`]);
  }
  assertEquals(breachesOf({ "lib/iscsi/pdu/a.ts": 'import { b } from "../limits.ts";' }), []);
  assertEquals(breachesOf({ "lib/iscsi/a.ts": 'import { b } from "./pdu/b.ts";' }).length, 1);
});

Deno.test("findBreaches() finds an import that leaves the house", () => {
  assertEquals(breachesOf({ "lib/store/a.ts": `import { b } from "../../tests/b.ts";` }), [
    `lib/store/a.ts:1 imports "../../tests/b.ts", which is outside the house`,
  ]);
  assertEquals(breachesOf({ "lib/store/a.ts": `import "npm:left-pad"; import "node:child_process";` }), [
    `lib/store/a.ts:1 imports "npm:left-pad", which is not on the list`,
    `lib/store/a.ts:1 imports "node:child_process", which is not on the list`,
  ]);
});

Deno.test("findBreaches() finds an import of a package of lib/std by its path", () => {
  for (const path of ["lib/cli/a.ts", "tests/cli/a.ts"]) {
    const specifier = path === "lib/cli/a.ts" ? "../std/path/mod.ts" : "../../lib/std/path/mod.ts";
    assertEquals(breachesOf({ [path]: `import { join } from "${specifier}";` }), [
      `${path}:1 imports "${specifier}" across the border of lib/std`,
    ]);
  }
  assertEquals(breachesOf({ "lib/std/ini/mod.ts": `import "../../bytes/a.ts";` }), [
    `lib/std/ini/mod.ts:1 imports "../../bytes/a.ts" across the border of lib/std`,
  ]);
});

Deno.test("findBreaches() finds a folder without a floor", () => {
  assertEquals(breachesOf({ "lib/attic/a.ts": "export {};" }), [
    "lib/attic/a.ts:1 is on no floor: give its folder one",
  ]);
});

Deno.test("findBreaches() finds a file that touches the world where none may", () => {
  const doors = {
    Deno: "Deno.cwd();",
    Date: "export const now = new Date();",
    performance: "performance.now();",
    crypto: "crypto.randomUUID();",
    globalThis: `globalThis["Deno"];`,
    fetch: `await fetch("http://127.0.0.1");`,
    "Math.random": "Math.random();",
  };
  for (const [name, text] of Object.entries(doors)) {
    assertEquals(breachesOf({ "lib/scsi/s.ts": text }), [
      `lib/scsi/s.ts:1 uses ${name}; in lib/scsi no file may`,
    ]);
    assertEquals(breachesOf({ "lib/cli/c.ts": text }), []);
  }
  assertEquals(breachesOf({ "lib/scsi/s.ts": "export type A = Deno.TcpConn;" }).length, 1);
  assertEquals(breachesOf({ "lib/store/file_store.ts": "Deno.cwd();" }), []);
  assertEquals(breachesOf({ "lib/store/plan.ts": "Deno.cwd();" }), [
    `lib/store/plan.ts:1 uses Deno; in lib/store only ${WORLDLY_FILES["lib/store"]!.join(", ")} may`,
  ]);
  assertEquals(breachesOf({ "lib/scsi/s.ts": `import { isIP, connect } from "node:net";` }), [
    "lib/scsi/s.ts:1 uses connect of node:net; in lib/scsi no file may",
  ]);
  assertEquals(
    breachesOf({ "lib/scsi/s.ts": `import fs from "node:fs"; import * as net from "node:net";` }).length,
    2,
  );
});

Deno.test("findBreaches() finds a circle once, and a file that imports itself", () => {
  const circle = {
    "lib/scsi/a.ts": `import "./b.ts";`,
    "lib/scsi/b.ts": `import type { C } from "./c.ts";`,
    "lib/scsi/c.ts": `import "./b.ts"; import "./d.ts";`,
    "lib/scsi/d.ts": "",
  };
  assertEquals(breachesOf(circle), [
    "lib/scsi/b.ts:1 is in a circle: lib/scsi/b.ts -> lib/scsi/c.ts -> lib/scsi/b.ts",
  ]);
  assertEquals(breachesOf({ "lib/scsi/a.ts": `import "./a.ts";` }), [
    "lib/scsi/a.ts:1 is in a circle: lib/scsi/a.ts -> lib/scsi/a.ts",
  ]);
});
