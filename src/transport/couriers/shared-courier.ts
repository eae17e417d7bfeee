// One courier for several queues, so that they share its connections: it closes with the last of them.
import type { CutOff } from "../../smtp/client/cut-off.ts";
import type { Courier } from "../queues/destination-queue.ts";

export class SharedCourier {
  readonly #create: (cutOff: CutOff | undefined) => Courier;
  #courier: Courier | undefined;
  #users = 0;

  constructor(create: (cutOff: CutOff | undefined) => Courier) {
    this.#create = create;
  }

  lend(cutOff?: CutOff): Courier {
    const courier = (this.#courier ??= this.#create(cutOff));
    this.#users += 1;
    let isLent = true;
    return {
      get capacity(): number {
        return courier.capacity;
      },
      deliver: (message) => courier.deliver(message),
      close: () => {
        if (!isLent) return Promise.resolve();
        isLent = false;
        return this.#giveBack(courier);
      },
    };
  }

  #giveBack(courier: Courier): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0) return Promise.resolve();
    this.#courier = undefined;
    return courier.close();
  }
}
