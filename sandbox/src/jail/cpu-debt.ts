import { KernelFile } from '../cgroup/files.ts'
import { CPU_PERIOD_US, CPU_QUOTA_US } from '../cgroup/types.ts'

const TICK_MS = 10 // USER_HZ is 100 on every architecture that Node runs on
const SMALL_MS = 30
const QUOTA = CPU_QUOTA_US / CPU_PERIOD_US // cores

/** Fields of /proc/PID/stat after the command's name: CPU time of the children that were waited for, in ticks. */
const CHILDREN_USER = 13
const CHILDREN_SYSTEM = 14

/**
 * What the executions of one jail have used of the CPU beyond the quota. Each starts with a whole quota of the kernel's, so
 * that it cannot tell what the one before it has used; several short ones on many cores would get more than theirs in
 * sum, were it not for this account.
 */
export class CpuDebt {
  readonly #stat: KernelFile
  readonly #quota: number
  #used: number
  #since = performance.now()
  #debt = 0

  /** @param quota cores. Throws where the zygote is gone. */
  constructor(zygote: number, quota = QUOTA) {
    this.#quota = quota
    this.#stat = new KernelFile(`/proc/${zygote}/stat`)
    this.#used = this.#read()
  }

  /** Milliseconds. */
  #read(): number {
    const text = this.#stat.read()
    const fields = text.slice(text.lastIndexOf(') ') + 2).split(' ')
    return TICK_MS * (Number(fields[CHILDREN_USER]) + Number(fields[CHILDREN_SYSTEM]))
  }

  /**
   * Milliseconds after which the quota pays for everything; 0 while what is missing is small, as with the helper threads
   * of a short execution. Throws where the zygote is gone.
   */
  owed(): number {
    const [used, since] = [this.#read(), performance.now()]
    this.#debt = Math.max(0, this.#debt + used - this.#used - (since - this.#since) * this.#quota)
    this.#used = used
    this.#since = since
    return this.#debt > SMALL_MS ? this.#debt / this.#quota : 0
  }

  close(): void {
    this.#stat.close()
  }
}
