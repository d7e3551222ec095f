/**
 * Every limit of the protocol engine, with its unit. These limits, and no others, bound the memory and the time that a
 * peer can take.
 */
export const Limits = {
  /** Time from accepting a connection to full-feature phase. */
  loginMs: 15_000,
  /** Time in which the peer of a connection that is being closed can read its last replies. */
  finishMs: 2_000,
  /**
   * Time that a task management response waits for the initiator: for data that was solicited, which many initiators no
   * longer send, and for acknowledgements.
   */
  owedMs: 1_000,
  /**
   * Time that a command may lock blocks which another one waits for, while it waits for its own initiator. ESXi gives
   * up a volume when a COMPARE AND WRITE, which waits for such a lock, takes 8 s.
   */
  blockingSeconds: 4,
  /** Time without any data on a connection that owes Data-Out; its waiting commands then fail. */
  dataOutSilenceSeconds: 15,
  /** Time for the data of one command: a fixed part, and one second for so many bytes. */
  dataOutSeconds: 60,
  dataOutBytesPerSecond: 65_536,
  /** Consecutive seconds in which a connection may take fewer of its replies than this rate; it is then closed. */
  slowReaderSeconds: 30,
  slowReaderBytesPerSecond: 8_192,
  /** Interval of the check for silent peers. */
  keepaliveCheckMs: 1_000,
  /** PDUs of one connection processed before the other connections; a queue of 32 fits. */
  slicePdus: 48,
  /** The same while another connection has a shallow queue: receives at most this many PDUs at a time. */
  shortSlicePdus: 8,
  /** Receptions, over all connections, for which a shallow queue is remembered. */
  shallowQueueReceptions: 64,
  /**
   * For a login that finds no room: silence after which a peer is pinged, time for its answer, interval of the check.
   * ESXi gives up a login after 5 s.
   */
  silentMs: 3_000,
  probeMs: 3_000,
  probeStepMs: 250,
  /** Warnings in the log about one connection. */
  warnings: 16,
  /** Refusals kept for display, equal ones as one. */
  recentRefusals: 64,
  /** Peers whose events are counted separately, for each kind and level, to suppress repeated ones. */
  loggedPeers: 256,
  /** Past initiators whose traffic is kept, each at one target. */
  pastInitiators: 256,
  /** Login Requests of one connection. */
  loginRequests: 64,
  /** Delay of a login with CHAP after the first failure from its address; it doubles with each further failure. */
  failedLoginFirstMs: 250,
  /** Longest such delay. ESXi gives up a login after 5 s; a wrong secret must not lock it out of other targets. */
  failedLoginMaxMs: 4_000,
  /** Time after its last failed login until the failures of an address are forgotten. */
  failedLoginMemoryMs: 60_000,
  /** Addresses whose failed logins are counted. */
  failedLoginAddresses: 1_024,
  /** Removed targets that are kept to answer their initiators with status 0204h. */
  removedTargets: 256,
  /** Text of one login or text negotiation request, over all its PDUs joined by the C bit. */
  textBytes: 65_536,
  /** Key=value pairs in one login or text negotiation request. */
  textKeys: 256,
  /** Text that all connections together keep between two PDUs: 1 MiB for each discovery session. */
  textBudgetBytes: 16_777_216,
  /** Connections in login, over all portals; one more evicts one of them. */
  connectionsInLogin: 64,
  /** Connections in login from one address (IPv6: one /64 network). */
  connectionsInLoginPerAddress: 32,
  /** Discovery sessions. They do not count as sessions, so a full server still answers discovery. */
  discoverySessions: 16,
  /** Time during which a discovery session cannot be displaced by another one. */
  discoveryMs: 10_000,
  /** Connections of one session: MaxConnections as the target offers it. */
  connectionsPerSession: 8,
  /** Outstanding commands of one session: the width of the window from ExpCmdSN to MaxCmdSN. */
  commandWindow: 128,
  /** Outstanding immediate commands of one session; the window does not limit them. */
  immediateCommands: 32,
  /**
   * Tasks of one session that have ended while a medium still works for them. Further ones keep their places in the
   * window, which bounds the work that a session can start by aborting commands repeatedly.
   */
  lingeringTasks: 512,
  /** Memory of the commands of one session that wait for earlier ones (CmdSN order). */
  heldCommandBytes: 4_194_304,
  /** Data segment of a PDU before full-feature phase (RFC 7143, 13.12: the default of every connection). */
  loginDataSegmentBytes: 8_192,
  /** Data segment of a PDU in full-feature phase: MaxRecvDataSegmentLength as the target declares it. */
  dataSegmentBytes: 262_144,
  /** Data segment of a Data-In PDU, even if the initiator accepts longer ones. */
  dataInSegmentBytes: 262_144,
  /** Data solicited by one R2T: MaxBurstLength as the target offers it. */
  burstBytes: 1_048_576,
  /** Unsolicited data of one command: FirstBurstLength as the target offers it. */
  firstBurstBytes: 262_144,
  /** Data solicited by all R2Ts of one connection: an upper bound of the data ahead of the reply to a ping. */
  solicitedBytes: 4_194_304,
  /** Outstanding R2Ts of one command: MaxOutstandingR2T as the target offers it. */
  outstandingR2Ts: 8,
  /** Receive buffer of a connection before and in full-feature phase: each holds the largest PDU allowed there. */
  receiveBufferLoginBytes: 16_384,
  receiveBufferBytes: 1_048_576,
  /** Unsent replies of a connection; beyond this it accepts no further requests. */
  sendBufferBytes: 524_288,
  /** The same for the connection that uses the node alone, and the consecutive receptions that make one that. */
  loneSendBufferBytes: 4_194_304,
  loneReceptions: 256,
  /**
   * Further unsent replies of a connection that accepts no more requests: resets, an administrator, or other
   * connections of its session can cause some. With more than this it is closed.
   */
  excessReplyBytes: 524_288,
  /**
   * Data of a connection in transfer to or from a medium; beyond this no more is read or solicited. Data that was
   * solicited before is still received, or pings would wait behind it.
   */
  stagedBytes: 2_097_152,
  /** Part of that memory that a connection keeps for reuse. */
  idleStagedBytes: 1_048_576,
} as const;
