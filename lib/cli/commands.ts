import { RIGHT_NAMES, type RightName } from "../server/held_rights.ts";
import type { Command } from "./command.ts";
import { COMPLETION_WORDS } from "./completion_words.ts";

/**
 * The rights to reach the running server: the socket is a path, and to newer versions of Deno an address. The name of
 * this host distinguishes a server here from one on another host.
 */
const CLIENT_RIGHTS: readonly RightName[] = ["read", "write", "net", "sys"];

/** The rights to examine and change the disk, and to reach the running server. */
const DISK_RIGHTS: readonly RightName[] = [...CLIENT_RIGHTS, "run"];

/** Every command, in the order of the help text. */
export const COMMANDS: readonly Command[] = [
  {
    name: "check",
    summary: "check a conf and print what it exports",
    description: [
      "Reads the conf, reports everything that is wrong with it, and prints the targets that it describes. " +
      "Changes nothing. It also reports what build and serve do not take for a disk of the conf: files of this " +
      "program, images, files that build did not make, and lost disks.",
    ],
    options: ["conf", "json"],
    rights: ["read", "run", "sys"],
    load: async () => (await import("./check.ts")).check,
  },
  {
    name: "build",
    summary: "create and grow the backing files of a conf, and make it live",
    description: [
      "Creates the storage folder, a sparse file for each LUN that has none, and the identity by which " +
      "initiators recognise the LUN. Makes files longer whose size was raised. Never shrinks, overwrites or " +
      "deletes a file. Does nothing while anything is wrong; can be run again at any time.",
      "A recorded disk whose file is missing, empty or shorter is lost. With --force an empty disk with a new " +
      "identity takes its place. --force also makes a file longer that build did not make.",
      "Then has the running server, if there is one, take over the conf, and prints the changes. Sessions that a " +
      "change does not affect are undisturbed. With --dry-run it prints the plan, and the sessions that would " +
      "notice.",
    ],
    options: ["conf", "dryRun", "force", "json"],
    rights: DISK_RIGHTS,
    load: async () => (await import("./build.ts")).build,
  },
  {
    name: "serve",
    summary: "serve the targets of a conf to initiators",
    description: [
      "Serves the targets that the last build has made, until SIGTERM or SIGINT, which end it in order. Prints a " +
      'line for each portal, then "ready". Events go to standard error, one line each; with --json they, too, are ' +
      "JSON.",
      "Refuses a storage folder that a server has, on this host or another, and a file system whose locks other " +
      "machines may not see; --force serves it there.",
    ],
    options: ["conf", "force", "log", "logLevel", "json"],
    rights: RIGHT_NAMES,
    isServer: true,
    load: async () => (await import("./serve.ts")).serve,
  },
  {
    name: "reload",
    summary: "have the running server take over the conf",
    description: [
      "Has the server that runs on the storage folder of the conf read its conf again, and prints the changes. A " +
      "conf that has errors, or was not built, changes nothing. SIGHUP does the same.",
      "A change that ends every session (another storage folder, another node) takes --force while there are any. " +
      "Where the conf names another storage folder, --storage names the one of the running server.",
    ],
    options: ["conf", "storage", "force", "json"],
    rights: CLIENT_RIGHTS,
    load: async () => (await import("./reload.ts")).reload,
  },
  {
    name: "status",
    summary: "show the running server: LUNs, space, sessions, refusals",
    description: [
      "Shows the portals of the running server, the size, space and growth of each LUN, when the file system will be " +
      "full, the sessions with their traffic, and the refused initiators with the rule that refused. Rates are those " +
      "of one second, or with --watch of the time between two looks. Where no server runs it says so, shows the " +
      "state of the disk, and ends with 1. With TARGET it shows one target, by its name in the conf or in full.",
      "With --wait it prints nothing, and ends once the server accepts initiators: with 0, or with 1 when that takes " +
      "longer than the time given.",
      "With --probe it begins a login at every portal, and ends with 0 when all were answered within 2 seconds. " +
      "Nothing is logged or counted for that. A portal behind a firewall that drops the connection is not tested.",
    ],
    arguments: { syntax: "[TARGET]", min: 0, max: 1, completes: "targets" },
    options: ["conf", "storage", "watch", "wait", "probe", "json"],
    rights: DISK_RIGHTS,
    load: async () => (await import("./status.ts")).status,
  },
  {
    name: "disconnect",
    summary: "end sessions of the running server",
    description: [
      "Ends a session by its number in iscsi status, or all sessions of an initiator or at a target by their names. " +
      "Lists them, and asks first. The initiators are asked to log out, and cut after 10 seconds; with --now at " +
      "once. Initiators the conf still admits may log in again, and usually do.",
    ],
    arguments: { syntax: "SESSION|INITIATOR|TARGET", min: 1, max: 1, completes: "sessions" },
    options: ["conf", "storage", "now", "yes", "json"],
    rights: CLIENT_RIGHTS,
    load: async () => (await import("./disconnect.ts")).disconnect,
  },
  {
    name: "reservations",
    summary: "show the reservations of initiators, or clear them",
    description: [
      "Shows the reservations on the LUNs of the running server: registrations with their keys, holders, and whether " +
      "they outlive a loss of power.",
      "clear TARGET [LUN] clears all of them, after asking: on one LUN, or on all LUNs of the target. The initiators " +
      "get the unit attentions of the standard.",
    ],
    arguments: { syntax: "[clear TARGET [LUN]]", min: 0, max: 3, words: ["clear"], completes: "targets" },
    options: ["conf", "storage", "yes", "json"],
    rights: CLIENT_RIGHTS,
    load: async () => (await import("./reservations.ts")).reservations,
  },
  {
    name: "copy",
    summary: "copy a disk as it is now, also while it is served",
    description: [
      "Copies a LUN or the image of a disk: all that was acknowledged before the copy began, and nothing that was " +
      "sent after. Initiators go on meanwhile. SOURCE is TARGET[/LUN], a file, or - for standard input. DESTINATION " +
      "is a file, a TARGET[/LUN] without sessions, or - for standard output. A path of a file has a slash.",
      "Where the file system shares blocks, the copy is there at once. Elsewhere the blocks are copied, and those " +
      "that initiators change in the meantime are saved before. Zeros take no space. Beside a running server it " +
      "works half of the time; --rate sets another pace.",
      "The file appears under its name when it is complete and on the disk. --force replaces a file, and fills a " +
      "LUN whose input ends early with zeros. A copy that fails or is interrupted leaves nothing.",
    ],
    arguments: { syntax: "SOURCE DESTINATION", min: 2, max: 2, completes: "targets" },
    options: ["conf", "storage", "rate", "force", "yes", "json"],
    rights: ["read", "write", "run", "sys", "net"],
    load: async () => (await import("./copy.ts")).copy,
  },
  {
    name: "trim",
    summary: "give back the space of blocks that hold only zeros",
    description: [
      "Finds the blocks of a LUN, or of all writable LUNs, that hold only zeros, and gives their space back, also " +
      "while initiators use them. Prints what each LUN gained. Ctrl-C ends it; what was given back stays so.",
      "It is done by the running server, or where none runs by the command itself. --rate limits how much it reads.",
    ],
    arguments: { syntax: "[TARGET[/LUN]]", min: 0, max: 1, completes: "targets" },
    options: ["conf", "storage", "rate", "json"],
    rights: DISK_RIGHTS,
    load: async () => (await import("./trim.ts")).trim,
  },
  {
    name: "forget",
    summary: "delete backing files that the conf no longer uses",
    description: [
      "Deletes backing files with their data, their identities, journals and reservations, after asking. FILE is a " +
      "path as in the conf: absolute, or relative to the storage folder. Deletes nothing if one of them belongs to a " +
      "LUN of the conf, is served, was not made by build, or is not in the storage folder.",
    ],
    arguments: { syntax: "FILE...", min: 1, max: Infinity, completes: "unused" },
    options: ["conf", "dryRun", "yes", "json"],
    rights: ["read", "write", "run", "sys"],
    load: async () => (await import("./forget.ts")).forgetFiles,
  },
  {
    name: "unit",
    summary: "print a systemd unit for the conf",
    description: [
      "Prints a unit of systemd that starts the server at boot, with the rights that the conf needs: its folders, " +
      "block devices and networks, and as few capabilities as the owners of the files and the ports allow. Print it " +
      "again when the conf changes these.",
    ],
    options: ["conf", "json"],
    rights: ["read", "sys"],
    load: async () => (await import("./unit.ts")).unit,
  },
  {
    name: "install",
    summary: "install the program on a box, with all that belongs to it",
    description: [
      "Copies this program, the man pages, the completion of three shells, the Build Script and the service of the " +
      "init system that the box has to their places, prints what it did, and what remains to be done. Can be run " +
      "again at any time: a conf is never changed, nor a service or script that is not of this program.",
      "With --dry-run it prints what it would do. With --root it installs into a mounted image.",
    ],
    options: ["root", "init", "dryRun", "json"],
    rights: ["read", "write", "sys"],
    load: async () => (await import("./install.ts")).install(COMMANDS),
  },
  {
    name: "completion",
    summary: "print the completion of a shell",
    description: [
      "Prints the script that completes the commands, options and arguments of this program in bash, fish or zsh. " +
      "iscsi install installs the three.",
      "The scripts call it with targets, which prints the names of targets, with sessions, which prints the names " +
      "and numbers that iscsi disconnect takes (those of the running server), or with unused, which prints the " +
      "files that iscsi forget takes; one a line.",
    ],
    arguments: { syntax: "bash|fish|zsh|targets|sessions|unused", min: 1, max: 1, words: COMPLETION_WORDS },
    options: ["conf", "storage", "json"],
    rights: [...CLIENT_RIGHTS, "sys"],
    load: async () => (await import("./completion.ts")).completion(COMMANDS),
  },
  {
    name: "secret",
    summary: "make a secret for CHAP",
    description: [
      "Prints a random secret for the conf or a file of secrets: 16 characters, 96 bits, which every initiator " +
      "takes. With --hex it has 128 bits.",
    ],
    options: ["hex", "json"],
    rights: [],
    load: async () => (await import("./secret.ts")).secret,
  },
  {
    name: "demo",
    summary: "try it: serve an example on loopback",
    description: [
      "Builds an example conf in a scratch folder, serves it on loopback without root, and prints how to connect. " +
      "SIGTERM, SIGINT and SIGHUP end it and remove the folder.",
    ],
    options: ["json"],
    rights: RIGHT_NAMES,
    isServer: true,
    load: async () => (await import("./demo.ts")).demo,
  },
];
