import { type DeviceExport, DeviceNodes } from "./device_nodes.ts";
import { FileLinks } from "./file_links.ts";

/**
 * What the target worker opens in place of backing paths that it has no right to by name: nodes of block devices, and
 * links to files that came into the conf after it had started. What is no longer needed stays until a worker starts
 * anew: somebody may still be about to open it.
 */
export class StandIns {
  readonly #nodes: DeviceNodes;
  readonly #links: FileLinks;

  constructor(storage: string) {
    this.#nodes = new DeviceNodes(storage);
    this.#links = new FileLinks(storage);
  }

  /**
   * Forgets all that there was, be it from an earlier process, and returns what a worker needs that is about to start:
   * a device may have got another number while none ran, and files a worker may open by name.
   *
   * @throws {ProvisionError} when the system refuses
   */
  renew(devices: readonly DeviceExport[]): ReadonlyMap<string, string> {
    this.remove();
    return this.#nodes.extend(devices);
  }

  /**
   * Returns what a worker that runs needs, by path.
   *
   * @param files the backing files that it has no right to by name
   * @throws {ProvisionError} when the system refuses
   */
  extend(devices: readonly DeviceExport[], files: readonly string[]): ReadonlyMap<string, string> {
    return new Map([...this.#nodes.extend(devices), ...this.#links.extend(files)]);
  }

  /**
   * Removes everything, be it from an earlier process.
   *
   * @throws {ProvisionError} when the system refuses
   */
  remove(): void {
    this.#nodes.remove();
    this.#links.remove();
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}
