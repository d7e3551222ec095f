/** Options of `getAvailablePort`. */
export interface GetAvailablePortOptions {
  /** Returned if it is free. */
  preferredPort?: number;
}

/** Returns a TCP port that is free at the moment; needs `--allow-net`. */
export function getAvailablePort(options?: GetAvailablePortOptions): number;
