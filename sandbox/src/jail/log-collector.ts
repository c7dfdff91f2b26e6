/** Bytes of logs that are kept of one execution, of its load included. */
export const MAX_LOG = 256 * 1024

const CUT = `\n[logs cut at ${MAX_LOG} bytes]\n`

/** Keeps the beginning of what an execution logs, and says where it was cut. */
export class LogCollector {
  #chunks: Buffer[] = []
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
    this.#chunks.push(kept)
    this.#size += kept.length
  }

  text(): string {
    if (this.#size === 0) return ''
    const text = Buffer.concat(this.#chunks).toString('utf8')
    return this.#cut ? text + CUT : text
  }
}
