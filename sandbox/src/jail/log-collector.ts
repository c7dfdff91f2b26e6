/** Bytes of logs that are kept of one execution, of its load included. */
export const MAX_LOG = 256 * 1024

const CUT = `\n[logs cut at ${MAX_LOG} bytes]\n`

/** Keeps the beginning of what an execution logs, and says where it was cut. */
export class LogCollector {
  /** Doubles as it fills: a chunk may be a single byte, and would cost a hundred kept apart. */
  #bytes: Buffer = Buffer.alloc(0)
  #size = 0
  #cut = false

  /** Bytes taken or thrown away so far. */
  received = 0

  add(bytes: Buffer): void {
    this.received += bytes.length
    const room = MAX_LOG - this.#size
    if (bytes.length > room) this.#cut = true
    if (room === 0) return
    const kept = bytes.length > room ? bytes.subarray(0, room) : bytes
    const size = this.#size + kept.length
    if (size > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(1024, 2 * this.#bytes.length, size))
      this.#bytes.copy(larger, 0, 0, this.#size)
      this.#bytes = larger
    }
    kept.copy(this.#bytes, this.#size)
    this.#size = size
  }

  text(): string {
    if (this.#size === 0) return ''
    const text = this.#bytes.toString('utf8', 0, this.#size)
    return this.#cut ? text + CUT : text
  }
}
