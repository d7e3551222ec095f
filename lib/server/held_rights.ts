/** The kinds of Deno's rights that this program uses. */
export const RIGHT_NAMES = ["read", "write", "net", "run", "sys", "env"] as const;

/** The name of a kind of right. */
export type RightName = typeof RIGHT_NAMES[number];

/** The rights of a process. */
export interface HeldRights {
  /** Reports whether the process has a right. */
  readonly has: (right: Deno.PermissionDescriptor) => boolean;
}

/** The rights of a process that can be dropped. */
export interface DroppableRights extends HeldRights {
  /** Drops every kind of right except the given ones. */
  keep(names: readonly RightName[]): void;
}

/**
 * The rights of this process, as they were when it started. A program that was compiled for one storage folder has
 * rights to some paths and addresses; the general one may read, write and listen everywhere.
 */
export class ProcessRights implements DroppableRights {
  /** The kinds that were granted as a whole. A command may drop them, and still has to know. */
  readonly #whole: ReadonlySet<string> = new Set(RIGHT_NAMES.filter((name) => isGranted({ name })));

  /** Reports whether the process had a right. */
  readonly has = (right: Deno.PermissionDescriptor): boolean =>
    this.#whole.has(right.name) || isGranted(right);

  /**
   * Drops every kind of right except the given ones. Rights to some paths or addresses remain: they are the ones that
   * were chosen at compile time, and are examined later.
   */
  keep(names: readonly RightName[]): void {
    for (const name of RIGHT_NAMES) {
      const isScoped = (name === "read" || name === "write" || name === "net") && !this.#whole.has(name);
      if (!isScoped && !names.includes(name)) Deno.permissions.revokeSync({ name });
    }
  }
}

function isGranted(right: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(right).state === "granted";
}
