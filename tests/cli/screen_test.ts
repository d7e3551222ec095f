import { assertEquals } from "@std/assert";
import { ProgressLine } from "../../lib/cli/progress_line.ts";
import { Screen } from "../../lib/cli/screen.ts";
import { until } from "../support/until.ts";

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

Deno.test("a screen is drawn in place, cut to its rows, drawn again when resized, and left as it was", async () => {
  let written = "";
  let rows = 3;
  const terminal = { size: () => ({ columns: 10, rows }), hasColours: false };
  {
    using screen = new Screen({ write: (text) => written += text }, terminal);
    screen.show(({ columns }) => ["a", "b", `${columns}`]);
    assertEquals(written, `${ENTER}\x1b[H\x1b[Ka\r\n\x1b[Kb\r\n\x1b[K10`);
    written = "";
    rows = 2;
    Deno.kill(Deno.pid, "SIGWINCH");
    await until(() => written !== "", "it is drawn again");
    assertEquals(written, "\x1b[H\x1b[Ka\r\n\x1b[K... 2 more lines");
    written = "";
    screen.show(() => ["a"]);
    assertEquals(written, "\x1b[H\x1b[Ka\r\n\x1b[J");
    written = "";
  }
  assertEquals(written, LEAVE);
});

Deno.test("a progress line appears on a terminal only, and is cleared", () => {
  let written = "";
  const context = {
    stdout: { write: () => {} },
    stderr: { write: (text: string) => written += text },
    version: "1",
  };
  {
    using progress = new ProgressLine(context);
    progress.show("half");
  }
  assertEquals(written, "");
  {
    using progress = new ProgressLine({ ...context, showsProgress: true });
    progress.clear();
    progress.show("half");
    progress.show("all");
  }
  assertEquals(written, "\r\x1b[Khalf\r\x1b[Kall\r\x1b[K");
});
