/** The time limits and intervals of a supervisor, in milliseconds. */
export const SupervisorLimits = {
  /** Limit for an orderly stop of a worker. */
  stopMs: 4_400,
  /** Limit for the end of the process, out of the 5 s that it has. The kernel releases what remains. */
  endMs: 4_800,
  /** Interval between two checks of the server's addresses. */
  interfacesMs: 5_000,
  /** Limit for the holes that an ending worker has requested; later ones are not punched. */
  punchMs: 2_000,
  /** Default limit for the answer to a request. */
  answerMs: 5_000,
  /** Interval between two messages about free space to the worker. */
  spaceMs: 2_000,
  /** Interval between two pings of a worker, and the silence after which it counts as hanging. */
  pulseMs: 1_000,
  silenceMs: 3_000,
  /** The same for a worker that is not ready yet. */
  startSilenceMs: 30_000,
  /** Pause before a port that is not served any longer is tried again, while others are served. */
  retryMs: 60_000,
  /** Interval between two checks of a port without targets, and the time without sessions after which it is closed. */
  retirementCheckMs: 5_000,
  retirementMs: 60_000,
  /** Pause before a worker that crashed or could not start is restarted. */
  restartMs: 1_000,
} as const;
