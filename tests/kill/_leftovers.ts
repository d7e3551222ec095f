/** Files that a server which ended in order has wrongly left in its storage folder. */

/** Files and folders of the state folder that stay. */
const STAYING = [
  /^identities\.json$/,
  /^built$/,
  /^(?:build|serve)\.lock$/,
  /^journals(?:\/atomic-[0-9a-f]{16}\.journal)?$/,
  /^links(?:\/read-(?:only|write)(?:\/\d+)?)?$/,
  /^helpers$/,
  /^(?:reservations|sanitize)(?:\/[0-9a-f]{16}\.json)?$/,
  /^(?:growth|live)\.json$/,
  // Space for state that must be writable on a full file system.
  /^reserve$/,
];

/** The replacement of a file, from a writer that was killed. The next writer reuses it. */
const REPLACEMENT = /\.new$/;

/** The folder of a worker, which has the same state as the state folder itself. */
const PLACE = /^port-\d+(?:\/|$)/;

/** Returns a line for each file that should not be there. */
export function findLeftovers(storage: string): string[] {
  const paths = listFiles(`${storage}/.iscsi`, "");
  return paths
    .map((path) => ({ path, name: path.replace(PLACE, "").replace(REPLACEMENT, "") }))
    .filter(({ name }) => name !== "" && !STAYING.some((pattern) => pattern.test(name)))
    .map(({ path }) => `left in the state folder: ${path}`);
}

function listFiles(folder: string, path: string): string[] {
  return [...Deno.readDirSync(`${folder}/${path}`)].flatMap(({ name, isDirectory }) => {
    const child = path === "" ? name : `${path}/${name}`;
    return [child, ...(isDirectory ? listFiles(folder, child) : [])];
  });
}
