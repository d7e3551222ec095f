import type { Command } from "./command.ts";

/** Every command, in the order of the help text. */
export const COMMANDS: readonly Command[] = [
  {
    name: "check",
    summary: "check a conf and print what it exports",
    description: [
      "Reads the conf, reports everything that is wrong with it, and prints the targets that it describes. " +
      "Changes nothing. Of the disks it reports only what build and serve do not take for the disk that the conf " +
      "means: files of this program, images, files that build did not make, and lost disks.",
    ],
    options: ["conf", "json"],
    load: async () => (await import("./check.ts")).check,
  },
  {
    name: "build",
    summary: "create and grow the backing files of a conf, and make it live",
    description: [
      "Creates the storage folder, a sparse file for each LUN that has none, and the identity by which " +
      "initiators know the LUN again; makes files longer whose size was raised. Never shrinks, overwrites or " +
      "deletes a file. Does nothing at all while one thing is wrong; can be run again at any time.",
      "A recorded disk whose file is missing, empty or shorter than it was is lost. With --force an empty disk with " +
      "a new identity takes its place. --force also makes a file longer that build did not make.",
      "Then has the running server, if there is one, take over the conf, and says what that has changed. Sessions " +
      "that a change does not concern do not notice it. With --dry-run it says what would change, and which " +
      "sessions would notice.",
    ],
    options: ["conf", "dryRun", "force", "json"],
    load: async () => (await import("./build.ts")).build,
  },
  {
    name: "serve",
    summary: "serve the targets of a conf to initiators",
    description: [
      "Serves what the last build has made, until SIGTERM or SIGINT, which end it in order. Prints a line for each " +
      'address that it listens at, then "ready"; what happens goes to standard error, one line an event.',
    ],
    options: ["conf", "log", "logLevel"],
    isServer: true,
    load: async () => (await import("./serve.ts")).serve,
  },
  {
    name: "reload",
    summary: "have the running server take over the conf",
    description: [
      "Has the server that runs on the storage folder of the conf read its conf again, and says what has changed. A " +
      "conf that has errors, or was not built, changes nothing. SIGHUP does the same.",
      "What ends every session (another storage folder, another node) is done only with --force while there are any. " +
      "Where the conf names another storage folder, --storage says where the server runs.",
    ],
    options: ["conf", "storage", "force", "json"],
    load: async () => (await import("./reload.ts")).reload,
  },
  {
    name: "status",
    summary: "show what the running server does, and for whom",
    description: [
      "Asks the server that runs on the storage folder of the conf: its portals, what each LUN is promised and " +
      "takes, how fast that grows and when the file system will be full, who is logged in and does how much, and " +
      "who was refused by which rule. Rates are those of one second, or with --watch of the time between two " +
      "looks. Where no server runs it says so, shows what is on the disk, and ends with 1.",
    ],
    options: ["conf", "storage", "watch", "json"],
    load: async () => (await import("./status.ts")).status,
  },
  {
    name: "disconnect",
    summary: "end sessions of the running server",
    description: [
      "Ends a session by its number in iscsi status, or all sessions of an initiator or at a target by their names. " +
      "Says which, and asks first. The initiators are asked to log out, and cut when they have not after 10 seconds; " +
      "with --now at once. Whom the conf admits may log in again, and mostly does.",
    ],
    arguments: { syntax: "SESSION|INITIATOR|TARGET", min: 1, max: 1 },
    options: ["conf", "storage", "now", "yes"],
    load: async () => (await import("./disconnect.ts")).disconnect,
  },
  {
    name: "reservations",
    summary: "show what initiators have reserved, or clear it",
    description: [
      "Shows the reservations of the LUNs of the running server: who has registered with which key, who holds " +
      "what, and whether that outlives a loss of power.",
      "With clear TARGET [LUN] all of it is cleared, after asking: of a LUN, or of all of a target's. The initiators " +
      "are told by the unit attentions that the standard has for it.",
    ],
    arguments: { syntax: "[clear TARGET [LUN]]", min: 0, max: 3, words: ["clear"] },
    options: ["conf", "storage", "yes", "json"],
    load: async () => (await import("./reservations.ts")).reservations,
  },
  {
    name: "secret",
    summary: "make a secret for CHAP",
    description: [
      "Prints a random secret for the conf or a file of secrets: 16 characters, 96 bits, which every initiator can " +
      "be told. With --hex it has 128 bits.",
    ],
    options: ["hex"],
    load: async () => (await import("./secret.ts")).secret,
  },
  {
    name: "demo",
    summary: "try it: serve an example on loopback",
    description: [
      "Builds an example conf in a scratch folder, serves it on loopback without root, and says how to connect. " +
      "SIGTERM or SIGINT end it and remove the folder.",
    ],
    options: [],
    isServer: true,
    load: async () => (await import("./demo.ts")).demo,
  },
];
