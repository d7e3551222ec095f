/**
 * Every limit of the protocol engine, with its unit. What a peer can make the target hold or do is bounded by one of
 * these, and by nothing else.
 */
export const Limits = {
  /** How long a connection may take from being accepted to full-feature phase. */
  loginMs: 15_000,
  /** How long a connection that is to be closed may take to read its last replies. */
  finishMs: 2_000,
  /**
   * How long a task management response waits for what the initiator owes: data that was asked for, and that many
   * initiators do not send any more, and acknowledgements.
   */
  owedMs: 1_000,
  /**
   * How many seconds a command may hold blocks that another one waits for, while it waits for its initiator. ESXi takes
   * a volume for lost when its COMPARE AND WRITE, which waits so, has taken 8 s.
   */
  blockingSeconds: 4,
  /** How many seconds no data at all may come over a connection on which data is owed: the commands that wait end. */
  dataOutSilenceSeconds: 15,
  /** How many seconds the data of one command may take in all, besides one for so many bytes of it. */
  dataOutSeconds: 60,
  dataOutBytesPerSecond: 65_536,
  /** How many seconds in a row a connection may take fewer bytes than these of what waits for it: then it is closed. */
  slowReaderSeconds: 30,
  slowReaderBytesPerSecond: 8_192,
  /** How long an initiator that is asked to negotiate has for it, each time, and how often it is asked. */
  negotiationSeconds: 10,
  negotiationAsks: 2,
  /** How often it is looked which peers have been silent. */
  keepaliveCheckMs: 1_000,
  /** PDUs of one connection that are carried out before the others have their turn; a queue of 32 fits into one. */
  slicePdus: 48,
  /** The same while another connection receives no more than this at a time. */
  shortSlicePdus: 8,
  /** How many receptions, of whatever connection, that is remembered. */
  shallowQueueReceptions: 64,
  /**
   * Where a login finds no room: after how long a peer that has sent nothing is pinged for it, how long that may take
   * to answer, and how often it is looked. ESXi gives up a login after 5 s.
   */
  silentMs: 3_000,
  probeMs: 3_000,
  probeStepMs: 250,
  /** Warnings about one connection that go to the log. */
  warnings: 16,
  /** Refusals that are remembered one by one, equal ones as one. */
  recentRefusals: 64,
  /** Peers whose events are counted apart, for each kind and level, so that repeated ones are not told. */
  loggedPeers: 256,
  /** Initiators that are gone and whose traffic is remembered, each at one target. */
  pastInitiators: 256,
  /** Login requests on one connection, each of which costs an answer. */
  loginRequests: 64,
  /** How long a login with CHAP waits after the first that failed from its address; after the next, twice as long. */
  failedLoginFirstMs: 250,
  /** ESXi gives up a login after 5 s: a wrong secret for one target must not keep it from the others. */
  failedLoginMaxMs: 4_000,
  /** How long after its last failed login a peer address is treated like any other. */
  failedLoginMemoryMs: 60_000,
  /** Peer addresses whose failed logins are counted. */
  failedLoginAddresses: 1_024,
  /** Targets that were removed while initiators were served, of which those who might use them are told. */
  removedTargets: 256,
  /** Text of one login or text negotiation request, over all its PDUs joined by the C bit. */
  textBytes: 65_536,
  /** Key=value pairs in one login or text negotiation request. */
  textKeys: 256,
  /** Text that all connections together keep between two PDUs: a MiB for each discovery session, who ask for most. */
  textBudgetBytes: 16_777_216,
  /** Connections that have not logged in yet, over all portals. One more displaces one of them. */
  connectionsInLogin: 64,
  /** Connections of one peer's address (IPv6: network of 64 bits) that have not logged in yet. */
  connectionsInLoginPerAddress: 32,
  /** Discovery sessions at once: an allowance of their own, so that a full server can still be asked. */
  discoverySessions: 16,
  /** How long a discovery session is left alone when another one finds no room. */
  discoveryMs: 10_000,
  /** Connections of one session: what the target offers as MaxConnections. */
  connectionsPerSession: 8,
  /** Commands that one session may have outstanding: the width of the window ExpCmdSN ... MaxCmdSN. */
  commandWindow: 128,
  /** Immediate commands, which the window does not hold back, that one session may have outstanding. */
  immediateCommands: 32,
  /**
   * Tasks of one session that are over but for work that a medium has not finished. Those beyond it keep their places
   * in the window, so that a session does not pile up such work by aborting commands again and again.
   */
  lingeringTasks: 512,
  /** Memory of commands held until the commands before them arrive (CmdSN order), per session, in bytes. */
  heldCommandBytes: 4_194_304,
  /** Data segment of a PDU before full-feature phase (RFC 7143, 13.12: the default of every connection). */
  loginDataSegmentBytes: 8_192,
  /** Data segment of a PDU in full-feature phase: what the target declares as MaxRecvDataSegmentLength. */
  dataSegmentBytes: 262_144,
  /** Data segment of a Data-In PDU, however much more the initiator would take. */
  dataInSegmentBytes: 262_144,
  /** Data asked for by one R2T: what the target offers as MaxBurstLength. */
  burstBytes: 1_048_576,
  /** Unsolicited data of one command: what the target offers as FirstBurstLength. */
  firstBurstBytes: 262_144,
  /** Data that all R2Ts of one connection together ask for: what may stand between a NOP-Out and its answer. */
  solicitedBytes: 4_194_304,
  /** R2Ts of one command that may be outstanding: what the target offers as MaxOutstandingR2T. */
  outstandingR2Ts: 8,
  /** Receive buffer of a connection before and in full-feature phase: each holds the largest PDU allowed there. */
  receiveBufferLoginBytes: 16_384,
  receiveBufferBytes: 1_048_576,
  /** Replies of a connection that wait for the socket; beyond it the connection takes no further requests. */
  sendBufferBytes: 524_288,
  /**
   * Replies that wait for the socket although the connection takes no requests, since others cause them: a session's
   * other connections, resets, an administrator. A connection with more is closed.
   */
  unsentBytes: 1_048_576,
  /**
   * Data of a connection on its way to or from a medium that completes later; beyond it no more is read or asked for.
   * What was asked for before is still taken, or pings would wait behind it.
   */
  stagedBytes: 2_097_152,
  /** What a connection keeps of it, to use it again. */
  idleStagedBytes: 1_048_576,
} as const;
