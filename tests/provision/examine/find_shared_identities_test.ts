import { assertEquals } from "@std/assert";
import { findSharedIdentities } from "../../../lib/provision/examine/find_shared_identities.ts";
import { configOf, identityNumber } from "../conf.ts";
import { disk, file, GB, place } from "../disk.ts";

const [FIRST, SECOND] = [identityNumber(1), identityNumber(2)];

/** Returns the messages for two targets, of which the second has these options; each has a recorded identity. */
function problemsWith(option: string): string[] {
  const config = configOf("storage=/s", "[a]", "size=1GB", "[b]", "size=1GB", option);
  const survey = disk([place("/s/a", file(GB, 0)), place("/s/b", file(GB, 0))], {
    recorded: { kind: "recorded", identities: new Map([["a", FIRST], ["b", SECOND]]) },
  });
  return findSharedIdentities(config, survey).map(({ line, message }) => `${line}: ${message}`);
}

Deno.test("findSharedIdentities() finds a mark of the conf that is recorded for another LUN", () => {
  const problem =
    "for LUN 0 of [b]: LUN 0 of [a] (line 3) has it already, and initiators would take both for one " +
    'disk; change "naa" or "serial" of one of them';
  assertEquals(problemsWith(`naa=${FIRST.naa}`), [`5: Cannot use NAA identifier "${FIRST.naa}" ${problem}`]);
  assertEquals(problemsWith(`serial=${FIRST.serialNumber}`), [
    `5: Cannot use serial number "${FIRST.serialNumber}" ${problem}`,
  ]);
});

Deno.test("findSharedIdentities() accepts a mark that no LUN of the conf has, and a LUN's own", () => {
  assertEquals(problemsWith(`naa=${SECOND.naa}`), []);
  assertEquals(problemsWith(`naa=${identityNumber(3).naa}`), []);
});
