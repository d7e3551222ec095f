/** Faults that a run can be given, to show that it finds them. */

/** A fault: lines that are added to a file of the nodes. */
export interface Spoil {
  readonly file: "agent" | "fence_rig";
  /** The text that the lines follow. */
  readonly after: string;
  readonly lines: string;
  readonly help: string;
}

const FIRST_LINE = "#!/bin/sh\n";

/** All faults. */
export const SPOILS: Readonly<Record<string, Spoil>> = {
  stop: {
    file: "agent",
    after: FIRST_LINE,
    lines: `[ "$1" != stop ] || exit 0`,
    help: "the agent does not stop the server, and reports that it has",
  },
  reservations: {
    file: "agent",
    after: FIRST_LINE,
    lines: `[ "$1" != start ] || find /srv/iscsi/.iscsi -path '*/reservations/*' -type f -delete`,
    help: "the reservations are gone after each start",
  },
  identities: {
    file: "agent",
    after: FIRST_LINE,
    lines: `[ "$1" != start ] || rm /srv/iscsi/.iscsi/identities.json
[ "$1" != start ] || "$OCF_RESKEY_binary" build --force --conf "$OCF_RESKEY_conf" >/dev/null`,
    help: "the LUNs have new identities after each start",
  },
  records: {
    file: "agent",
    after: FIRST_LINE,
    lines:
      `[ "$1" != start ] || dd if=/dev/zero of=/srv/iscsi/disk bs=4096 count=512 conv=notrunc 2>/dev/null`,
    help: "the first records are gone after each start",
  },
  fencing: {
    file: "fence_rig",
    after: "  off | reboot)\n",
    lines: "exit 0",
    help: "fencing reports success, and kills nothing",
  },
};

/** Gives the files of a cluster a fault. */
export function spoil(folder: string, { file, after, lines }: Spoil): void {
  const path = `${folder}/${file}`;
  const text = Deno.readTextFileSync(path);
  if (!text.includes(after)) throw new Error(`${file} has no ${JSON.stringify(after)}`);
  Deno.writeTextFileSync(path, text.replace(after, () => `${after}${lines}\n`));
}
