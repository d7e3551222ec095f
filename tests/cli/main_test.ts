import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));
const RIGHTS = ["--quiet", "--no-prompt", "--allow-read", "--allow-write", "--allow-sys=statfs"];

function iscsi(...args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...RIGHTS, MAIN, ...args],
    stdout: "piped",
    stderr: "piped",
  });
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("main.ts passes arguments, output and the exit code on", async () => {
  const version = await iscsi("--version").output();
  assertEquals([text(version.stdout), text(version.stderr), version.code], [
    `iscsi ${manifest.version}\n`,
    "",
    0,
  ]);
  const wrong = await iscsi("check", "--jsno").output();
  assertEquals([text(wrong.stdout), wrong.code], ["", 2]);
  assertMatch(text(wrong.stderr), /^iscsi: Unknown option "--jsno": did you mean "--json"\?\n/);
});

Deno.test("main.ts ends quietly when its reader has left", async () => {
  const process = iscsi("--help").spawn();
  await process.stdout.cancel();
  const stderr = await new Response(process.stderr).text();
  assertEquals([stderr, (await process.status).code], ["", 141]);
});

Deno.test("main.ts fails when its output cannot be written", async () => {
  const command = [Deno.execPath(), "run", ...RIGHTS, MAIN, "--help"];
  const full = new Deno.Command("sh", {
    args: ["-c", '"$@" > /dev/full', "sh", ...command],
    stderr: "piped",
  });
  const { code, stderr } = await full.output();
  assertEquals(code, 1);
  assertMatch(text(stderr), /^iscsi: Cannot write to standard output: No space left on device/);
});
