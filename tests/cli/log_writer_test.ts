import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { withScratch } from "../provision/scratch.ts";
import { runCommand } from "./command_run.ts";

Deno.test("iscsi serve writes its messages before the start in the format of its log", () =>
  withScratch(async (folder) => {
    const conf = join(folder, "conf");
    const line = ["serve", "--conf", conf];
    const missing =
      'Cannot read "/scratch/conf": it does not exist; create it, or name another with --conf FILE';
    const absent = await runCommand([...line, "--log", "journal"], folder);
    assertEquals([absent.stdout, absent.stderr, absent.exitCode], ["", `<3>${missing}\n`, 1]);
    const json = await runCommand([...line, "--json"], folder);
    const { level, message } = JSON.parse(json.stderr);
    assertEquals([level, message], ["error", missing]);
    assertEquals(JSON.parse(json.stdout), { error: { exitCode: 1, message: missing, diagnostics: [] } });
    Deno.writeTextFileSync(conf, "[A]\nsize=1MB\nsise=1\n");
    const wrong = await runCommand([...line, "--log", "journal"], folder);
    assertEquals(wrong.stderr.split("\n").map((text) => text.slice(0, 18)), [
      "<4>/scratch/conf:1",
      "<3>/scratch/conf:3",
      "",
    ]);
    assertEquals((await runCommand(line, folder)).stderr.split("\n")[1]?.slice(0, 16), "/scratch/conf:3:");
  }));
