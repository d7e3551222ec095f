/** A server with two network cards: a network namespace, with two cables to this one. */
import { runTool, runToolOk } from "./tools.ts";

/** A cable between this machine and the server, with a network of its own. */
export interface Cable {
  /** `10.93.7.0/30`. */
  readonly network: string;
  /** The addresses of the server's end and of ours. */
  readonly server: string;
  readonly own: string;
  /** The names of the ends. */
  readonly card: string;
  readonly plug: string;
}

/** A network namespace with two cables. */
export class TwoCards {
  readonly namespace: string;
  readonly cables: readonly [Cable, Cable];

  private constructor(namespace: string, cables: readonly [Cable, Cable]) {
    this.namespace = namespace;
    this.cables = cables;
  }

  /**
   * Makes a namespace and its cables, under names and in networks of 198.18.0.0/15 (RFC 2544) that are free.
   *
   * @throws {Error} when this process may not, or the kernel has no such cables
   */
  static async create(): Promise<TwoCards> {
    const octet = Math.floor(Math.random() * 256);
    const id = crypto.randomUUID().slice(0, 6);
    const cables = [0, 1].map((index) => ({
      network: `198.${18 + index}.${octet}.0/30`,
      server: `198.${18 + index}.${octet}.1`,
      own: `198.${18 + index}.${octet}.2`,
      card: `card${index}`,
      plug: `iscsi${index}${id}`,
    })) as unknown as readonly [Cable, Cable];
    const cards = new TwoCards(`iscsi-${id}`, cables);
    await runToolOk("ip", ["netns", "add", cards.namespace]);
    try {
      await cards.#ip("link", "set", "lo", "up");
      for (const cable of cables) await cards.#plug(cable);
      return cards;
    } catch (error) {
      await cards[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The words before a command that make it run in the namespace. */
  get wrapper(): readonly string[] {
    return ["ip", "netns", "exec", this.namespace];
  }

  /** Switches a card of the server off or on. Its address stays with it. */
  async switch(card: string, state: "up" | "down"): Promise<void> {
    await this.#ip("link", "set", card, state);
  }

  /** Takes the address of a card of the server away, or gives it back. */
  async readdress({ server, card }: Cable, action: "add" | "delete"): Promise<void> {
    await this.#ip("address", action, `${server}/30`, "dev", card);
  }

  /** Removes the namespace, and the cables: sockets that have not closed keep the removed namespace alive. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { plug } of this.cables) await runTool("ip", ["link", "delete", plug]);
    await runTool("ip", ["netns", "delete", this.namespace]);
  }

  async #plug(cable: Cable): Promise<void> {
    const { plug } = cable;
    const ends = ["link", "add", plug, "type", "veth", "peer", "name", cable.card];
    await runToolOk("ip", [...ends, "netns", this.namespace]);
    await runToolOk("ip", ["address", "add", `${cable.own}/30`, "dev", plug]);
    await runToolOk("ip", ["link", "set", plug, "up"]);
    await this.readdress(cable, "add");
    await this.switch(cable.card, "up");
  }

  async #ip(...args: readonly string[]): Promise<void> {
    await runToolOk("ip", ["-netns", this.namespace, ...args]);
  }
}
