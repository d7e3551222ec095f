import { assert, assertEquals, assertRejects } from "@std/assert";
import { findMissing, runTool, runToolOk } from "./tools.ts";

Deno.test("runTool() returns what a program printed and its exit code", async () => {
  assertEquals(await runTool("sh", ["-c", "echo out; echo err >&2; exit 3"]), {
    code: 3,
    stdout: "out\n",
    stderr: "err\n",
  });
});

Deno.test("runTool() kills a program that does not end in time", async () => {
  const start = performance.now();
  await assertRejects(
    () => runTool("sh", ["-c", "echo before; exec sleep 60"], { timeLimitMs: 100 }),
    Error,
    "not finished within 100 ms\nbefore",
  );
  assert(performance.now() - start < 30_000);
});

Deno.test("runToolOk() throws what a failing program printed", async () => {
  assertEquals(await runToolOk("sh", ["-c", "echo out"]), "out\n");
  await assertRejects(() => runToolOk("sh", ["-c", "echo why >&2; exit 1"]), Error, "exit code 1\nwhy");
});

Deno.test("findMissing() names the packages of what is missing", () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${folder}/iscsi-ls`, "");
    assertEquals(findMissing(["iscsi-ls"], ["/nowhere", folder]), undefined);
    assertEquals(
      findMissing(["iscsi-ls", "iscsi-inq", "qemu-img", "qemu-io"], [folder]),
      "iscsi-inq, qemu-img, qemu-io not installed: apt-get install libiscsi-bin qemu-utils",
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
