import { formatState, parseState } from "../../store/state_text.ts";
import { parseRecordedIdentity, type RecordedIdentity } from "./recorded_identity.ts";
import { isRecord } from "../../base/is_record.ts";

/**
 * Identities by backing file: its path relative to the storage folder, so the folder can move, or its absolute path if
 * it is elsewhere.
 */
export type Identities = ReadonlyMap<string, RecordedIdentity>;

const VERSION = 2;

/** Returns the text of the identities file: a state file with sorted keys, one per line, for comparing versions. */
export function formatIdentities(identities: Identities): string {
  const sorted = [...identities].sort(([a], [b]) => a < b ? -1 : 1);
  const logicalUnits = Object.fromEntries(sorted);
  return formatState({ version: VERSION, body: { logicalUnits } });
}

/**
 * Parses the text of an identities file.
 *
 * Everything is checked, because a wrong identity makes initiators mistake one disk for another.
 *
 * @throws {SyntaxError} with the problem of the text
 * @throws {NewerStateError} when a newer version of this program has written it
 */
export function parseIdentities(text: string): Identities {
  const { logicalUnits } = parseState(text, VERSION).body;
  if (!isRecord(logicalUnits)) throw new SyntaxError('it has no object "logicalUnits"');
  const identities = new Map<string, RecordedIdentity>();
  const owners = new Map<string, string>();
  for (const [key, value] of Object.entries(logicalUnits)) {
    const identity = parseRecordedIdentity(key, value);
    for (const mark of [identity.naa.toLowerCase(), identity.serialNumber]) {
      const owner = owners.get(mark);
      if (owner !== undefined) throw new SyntaxError(`"${owner}" and "${key}" share ${mark}`);
      owners.set(mark, key);
    }
    identities.set(key, identity);
  }
  return identities;
}
