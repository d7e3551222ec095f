/** Faults that a run can be given, to show that it finds them: lines that go before those of an agent. */

/** A fault. */
export interface Spoil {
  readonly file: "agent" | "fence_rig";
  readonly lines: string;
  readonly help: string;
}

/** All faults. */
export const SPOILS: Readonly<Record<string, Spoil>> = {
  stop: {
    file: "agent",
    lines: `[ "$1" != stop ] || exit 0`,
    help: "the agent does not stop the server, and says that it has",
  },
  reservations: {
    file: "agent",
    lines: `[ "$1" != start ] || find /srv/iscsi/.iscsi -path '*/reservations/*' -type f -delete`,
    help: "the reservations are gone after each start",
  },
  identities: {
    file: "agent",
    lines: `[ "$1" != start ] || find /srv/iscsi/.iscsi -name identities.json -delete`,
    help: "the identities are gone after each start",
  },
  records: {
    file: "agent",
    lines:
      `[ "$1" != start ] || dd if=/dev/zero of=/srv/iscsi/disk bs=4096 count=512 conv=notrunc 2>/dev/null`,
    help: "the first 512 slots of a ring are gone after each start",
  },
  fencing: {
    file: "fence_rig",
    lines: `! grep -qE '^action=(off|reboot)$' || exit 0`,
    help: "fencing reports success, and kills nothing",
  },
};

/** Gives the files of a cluster a fault. */
export function spoil(folder: string, { file, lines }: Spoil): void {
  const path = `${folder}/${file}`;
  const [first, ...rest] = Deno.readTextFileSync(path).split("\n");
  Deno.writeTextFileSync(path, [first, lines, ...rest].join("\n"));
}
