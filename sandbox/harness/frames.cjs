'use strict'
// What travels between worker and jail, both ways (src/jail/frame.ts is the other end):
//   u32 size of what follows, u8 type, u32 size of the head, head (JSON), body. Numbers are little-endian.
const native = require('./natives.cjs')

/** Types of frames; the numbers are those of src/jail/frame.ts. */
const FRAME = {
  order: 1, // worker: what to run; two more frames follow, source and code cache
  request: 2, // worker: the one request of an execution
  ready: 3, // child: it waits for its request
  initFailed: 4, // child: the bundle did not load
  whole: 5, // child: an answer in one piece
  head: 6, // child: status and headers of a streamed answer
  chunk: 7,
  end: 8,
  output: 9, // child: the result of a raw event
  failed: 10, // child: the handler threw
}

const READ_FAILED = 72,
  WRITE_FAILED = 73
const EMPTY = Buffer.alloc(0)

function readExactly(fd, size) {
  const bytes = Buffer.allocUnsafeSlow(size)
  for (let offset = 0; offset < size; ) {
    const count = native.read(fd, offset === 0 ? bytes : bytes.subarray(offset), size - offset)
    if (count <= 0) native.exit(READ_FAILED)
    offset += count
  }
  return bytes
}

/** Reads one frame. Blocks; ends the process where the other side is gone. */
function readFrame(fd) {
  return decodeFrame(readExactly(fd, readExactly(fd, 4).readUInt32LE(0)))
}

/** @param {Buffer} bytes of a frame without its size */
function decodeFrame(bytes) {
  const bodyStart = 5 + bytes.readUInt32LE(1)
  const head = bodyStart === 5 ? undefined : JSON.parse(bytes.toString('utf8', 5, bodyStart))
  return { type: bytes[0], head, body: bytes.subarray(bodyStart) }
}

/** The bytes of one frame. */
function encodeFrame(type, head, body = EMPTY) {
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

function writeAll(fd, bytes) {
  for (let offset = 0; offset < bytes.length; ) {
    const count = native.write(fd, offset === 0 ? bytes : bytes.subarray(offset), bytes.length - offset)
    if (count <= 0) native.exit(WRITE_FAILED)
    offset += count
  }
}

const writeFrame = (fd, type, head, body) => writeAll(fd, encodeFrame(type, head, body))

module.exports = { FRAME, readFrame, decodeFrame, encodeFrame, writeAll, writeFrame }
