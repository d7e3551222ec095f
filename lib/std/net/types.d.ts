/** Options of `getAvailablePort`. */
export interface GetAvailablePortOptions {
  /** Returned if it is free. */
  preferredPort?: number;
}

/** A TCP port on which nobody listens at the moment; needs `--allow-net`. */
export function getAvailablePort(options?: GetAvailablePortOptions): number;
