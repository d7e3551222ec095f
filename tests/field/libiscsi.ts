/** Scenarios of the tools of libiscsi that no end-to-end test uses. */
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { runTool, runToolOk } from "../support/tools.ts";
import type { Scenario } from "./scenario.ts";

const CONF = `
networks = 127.0.0.0/8
[disk]
size = 16MB
`;

/** The scenarios of libiscsi. */
export const LIBISCSI: readonly Scenario[] = [
  {
    name: "libiscsi-write-protect",
    proves: "Software write protection stops every writer until it is taken back",
    needs: ["iscsi-swp", "qemu-io", "block-iscsi.so"],
    limitSeconds: 60,
    run: async (context) => {
      const appliance = context.appliance(CONF);
      await context.serve(appliance);
      const disk = appliance.lunUrl(0, "iqn.2002-08.info.netmanager:disk");
      const write = ["-f", "raw", disk, "-c", "write -P 0x61 0 64k"];
      await runToolOk("iscsi-swp", ["-s", "on", disk]);
      const { code, stdout, stderr } = await runTool("qemu-io", write);
      assertNotEquals(code, 0, stdout);
      assertMatch(stderr, /write protected/i);
      assertEquals(Deno.readFileSync(`${appliance.storage}/disk`)[0], 0);
      await runToolOk("iscsi-swp", ["-s", "off", disk]);
      await runToolOk("qemu-io", write);
      assertEquals(Deno.readFileSync(`${appliance.storage}/disk`)[0], 0x61);
    },
  },
];
