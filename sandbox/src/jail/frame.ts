/** Types of frames; the numbers are those of harness/frames.cjs. */
export const FRAME = {
  order: 1,
  request: 2,
  ready: 3,
  initFailed: 4,
  whole: 5,
  head: 6,
  chunk: 7,
  end: 8,
  output: 9,
  failed: 10,
} as const

const EMPTY = new Uint8Array()

/**
 * One frame: u32 size of what follows, u8 type, u32 size of the head, head (JSON), body. Numbers are little-endian.
 */
export function encodeFrame(type: number, head?: unknown, body: Uint8Array = EMPTY): Buffer {
  const text = head === undefined ? '' : JSON.stringify(head)
  const headSize = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafe(9 + headSize + body.length)
  bytes.writeUInt32LE(5 + headSize + body.length, 0)
  bytes[4] = type
  bytes.writeUInt32LE(headSize, 5)
  bytes.write(text, 9)
  bytes.set(body, 9 + headSize)
  return bytes
}

export interface Frame {
  type: number
  /** Not yet parsed: it is hostile, and most frames have none. */
  head: Buffer
  body: Buffer
}

/** A child sent what no child sends. */
export class MalformedFrame extends Error {}

/** A frame announces more bytes than are allowed. */
export class FrameTooLong extends MalformedFrame {}

const NOTHING = Buffer.alloc(0)
const FIRST_BYTES = 4096

/**
 * Cuts a stream of bytes into frames, none longer than allowed; nothing is allocated on the sender's word. A frame that
 * comes in pieces is gathered in one buffer that doubles, however small the pieces are.
 */
export class FrameReader {
  #gathered: Buffer = NOTHING
  #size = 0
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Takes bytes and gives the frames that are complete now. Throws MalformedFrame. */
  push(bytes: Buffer): Frame[] {
    const all = this.#size === 0 ? bytes : this.#gather(bytes)
    const frames: Frame[] = []
    let at = 0
    while (all.length - at >= 4) {
      const length = all.readUInt32LE(at)
      if (length > this.#limit) throw new FrameTooLong(`a frame of ${length} bytes`)
      if (length < 5) throw new MalformedFrame('a frame without a type')
      const end = at + 4 + length
      if (end > all.length) break
      frames.push(parse(all.subarray(at, end)))
      at = end
    }
    if (at > 0 || this.#size === 0) this.#keep(all.subarray(at))
    return frames
  }

  /** Bytes of a frame that is not complete. */
  get rest(): number {
    return this.#size
  }

  /** Puts bytes behind what is there. */
  #gather(bytes: Buffer): Buffer {
    const size = this.#size + bytes.length
    if (size > this.#gathered.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST_BYTES, 2 * this.#gathered.length, size))
      this.#gathered.copy(larger, 0, 0, this.#size)
      this.#gathered = larger
    }
    bytes.copy(this.#gathered, this.#size)
    this.#size = size
    return this.#gathered.subarray(0, size)
  }

  /** Starts anew with what is left: the frames given out own the bytes before it. */
  #keep(rest: Buffer): void {
    this.#gathered = NOTHING
    this.#size = 0
    if (rest.length > 0) this.#gather(rest)
  }
}

function parse(bytes: Buffer): Frame {
  const bodyStart = 9 + bytes.readUInt32LE(5)
  if (bodyStart > bytes.length) throw new MalformedFrame('a head longer than its frame')
  return { type: bytes[4]!, head: bytes.subarray(9, bodyStart), body: bytes.subarray(bodyStart) }
}
