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

/** Cuts a stream of bytes into frames, none longer than allowed; nothing is allocated on the sender's word. */
export class FrameReader {
  #pending: Buffer[] = []
  #size = 0
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Takes bytes and gives the frames that are complete now. Throws MalformedFrame. */
  push(bytes: Buffer): Frame[] {
    this.#pending.push(bytes)
    this.#size += bytes.length
    const frames: Frame[] = []
    while (this.#size >= 4) {
      const length = this.#peekLength()
      if (length > this.#limit) throw new FrameTooLong(`a frame of ${length} bytes`)
      if (length < 5) throw new MalformedFrame('a frame without a type')
      if (this.#size < 4 + length) break
      frames.push(parse(this.#take(4 + length)))
    }
    return frames
  }

  /** Bytes of a frame that is not complete. */
  get rest(): number {
    return this.#size
  }

  #join(): Buffer {
    if (this.#pending.length > 1) this.#pending = [Buffer.concat(this.#pending)]
    return this.#pending[0]!
  }

  #peekLength(): number {
    const first = this.#pending[0]!
    return (first.length >= 4 ? first : this.#join()).readUInt32LE(0)
  }

  #take(size: number): Buffer {
    const all = this.#join()
    this.#pending = all.length > size ? [all.subarray(size)] : []
    this.#size -= size
    return all.subarray(0, size)
  }
}

function parse(bytes: Buffer): Frame {
  const bodyStart = 9 + bytes.readUInt32LE(5)
  if (bodyStart > bytes.length) throw new MalformedFrame('a head longer than its frame')
  return { type: bytes[4]!, head: bytes.subarray(9, bodyStart), body: bytes.subarray(bodyStart) }
}
