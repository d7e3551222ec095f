/** Eight initiators and an operator at a server: some seconds. `deno task soak` runs for hours. */
import { assert, assertEquals } from "@std/assert";
import { makeScratch } from "../crash/_tree_files.ts";
import { numberFromEnvironment } from "../support/seeded_random.ts";
import { soak } from "../soak/_soak.ts";
import { testWithTools } from "../support/tools.ts";

const SEED = numberFromEnvironment("SOAK_SEED", 60);
const SECONDS = numberFromEnvironment("SOAK_SECONDS", 6);

testWithTools(
  `eight initiators read what they wrote while an operator changes the conf (SOAK_SEED=${SEED})`,
  ["qemu-img", "block-iscsi.so", "iscsi-ls", "iscsi-inq", "iscsi-readcapacity16"],
  async () => {
    const folder = makeScratch();
    try {
      const { tally, log } = await soak({ seconds: SECONDS, seed: SEED, pauseMs: 2, folder });
      assertEquals(tally.errors, [], log);
      for (
        const name of [
          "read",
          "write",
          "unmap",
          "write atomic",
          "compare and write",
          "verify",
          "iscsi reload",
        ]
      ) {
        assert(tally.of(name) > 0, `${name}: ${tally}`);
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
);
