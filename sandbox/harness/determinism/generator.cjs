'use strict'
// The randomness of a deterministic execution: the ChaCha20 key stream (RFC 8439, zero nonce, 64-bit counter) of the
// seed. Written out here because it must give the same bytes on every machine, cost microseconds in a fresh process, and
// use nothing that a bundle can replace: indices and integer arithmetic only.

const WORDS = 16
const input = new Uint32Array(WORDS)
const working = new Uint32Array(WORDS)
const output = new Uint8Array(WORDS * 4)
const POSITION = { used: output.length }

// "expand 32-byte k"
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]

/** Value of each hexadecimal digit. */
const DIGITS = { __proto__: null }
for (let i = 0; i < 16; i++) {
  DIGITS['0123456789abcdef'[i]] = i
  DIGITS['0123456789ABCDEF'[i]] = i
}

function quarterRound(a, b, c, d) {
  const w = working
  let x
  w[a] += w[b]
  x = w[d] ^ w[a]
  w[d] = (x << 16) | (x >>> 16)
  w[c] += w[d]
  x = w[b] ^ w[c]
  w[b] = (x << 12) | (x >>> 20)
  w[a] += w[b]
  x = w[d] ^ w[a]
  w[d] = (x << 8) | (x >>> 24)
  w[c] += w[d]
  x = w[b] ^ w[c]
  w[b] = (x << 7) | (x >>> 25)
}

function nextBlock() {
  for (let i = 0; i < WORDS; i++) working[i] = input[i]
  for (let round = 0; round < 10; round++) {
    quarterRound(0, 4, 8, 12)
    quarterRound(1, 5, 9, 13)
    quarterRound(2, 6, 10, 14)
    quarterRound(3, 7, 11, 15)
    quarterRound(0, 5, 10, 15)
    quarterRound(1, 6, 11, 12)
    quarterRound(2, 7, 8, 13)
    quarterRound(3, 4, 9, 14)
  }
  for (let i = 0; i < WORDS; i++) {
    const word = (working[i] + input[i]) >>> 0
    output[i * 4] = word
    output[i * 4 + 1] = word >>> 8
    output[i * 4 + 2] = word >>> 16
    output[i * 4 + 3] = word >>> 24
  }
  if (++input[12] === 0) input[13]++
  POSITION.used = 0
}

/** Starts the stream of a seed: 32 bytes as hexadecimal, with or without 0x. What was drawn before is forgotten. */
function seed(seedHex) {
  const start = seedHex[1] === 'x' ? 2 : 0
  for (let i = 0; i < 4; i++) input[i] = CONSTANTS[i]
  for (let word = 0; word < 8; word++) {
    let value = 0
    for (let byte = 0; byte < 4; byte++) {
      const at = start + word * 8 + byte * 2
      value |= ((DIGITS[seedHex[at]] << 4) | DIGITS[seedHex[at + 1]]) << (byte * 8)
    }
    input[4 + word] = value
  }
  for (let i = 12; i < WORDS; i++) input[i] = 0
  POSITION.used = output.length
}

/** Fills a Uint8Array from `start` (inclusive) to `end` (exclusive). */
function fill(bytes, start, end) {
  for (let i = start; i < end; i++) {
    if (POSITION.used === output.length) nextBlock()
    bytes[i] = output[POSITION.used++]
  }
}

function nextByte() {
  if (POSITION.used === output.length) nextBlock()
  return output[POSITION.used++]
}

/** 48 random bits. */
function next48() {
  let value = 0
  for (let i = 0; i < 6; i++) value = value * 256 + nextByte()
  return value
}

/** At least 0 and below 1, with 53 random bits as `Math.random` has them. */
function random() {
  return (next48() * 32 + (nextByte() >>> 3)) / 0x20000000000000
}

/** An integer at least 0 and below `limit` (at most 2^48), each one equally likely. */
function below(limit) {
  const range = 0x1000000000000
  const unbiased = range - (range % limit)
  let value = next48()
  while (value >= unbiased) value = next48()
  return value % limit
}

module.exports = { seed, fill, random, below }
