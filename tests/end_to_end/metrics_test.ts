/** The metrics and the log of the running server, with its real permissions. */
import { assert, assertEquals } from "@std/assert";
import { read10 } from "../support/initiator_cdb.ts";
import { parseExposition } from "../support/exposition_parser.ts";
import { freePort } from "../support/server_process.ts";
import { Appliance } from "./appliance.ts";

Deno.test("metrics are served where the conf says, and say what initiators do", async () => {
  const port = freePort();
  using appliance = Appliance.create(`metrics = ${port}\n[disk]\nsize = 64MB\nnetworks = 127.0.0.0/8\n`);
  await using _server = await appliance.serve();
  const initiator = await appliance.login({ targetName: "iqn.2002-08.info.netmanager:disk" });
  await initiator.command({ cdb: new Uint8Array(6) });
  await initiator.command({ cdb: read10(0, 8), read: 4096 });
  const families = parseExposition(await metricsAt(port));
  await initiator.close();
  const valueOf = (name: string): number | undefined =>
    families.find((family) => family.name === name)?.samples[0]?.value;
  assertEquals(valueOf("iscsi_lun_read_bytes_total"), 4096);
  assertEquals(valueOf("iscsi_initiator_sessions"), 1);
  assertEquals(valueOf("iscsi_lun_allocated_bytes"), 0);
  assert(valueOf("process_cpu_seconds_total")! > 0);
});

/** Returns the metrics. The worker that serves them starts on its own, and the server is ready before it. */
async function metricsAt(port: number): Promise<string> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
    if (response?.status === 200) return await response.text();
    await response?.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`No metrics at port ${port} after 30 s`);
}
