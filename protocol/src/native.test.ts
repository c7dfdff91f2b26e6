import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { keccakBytes } from './keccak.ts'
import './native.ts'

/** Around the sponge's block (136 bytes), around what WebAssembly takes at once (16 KB), and a large body. */
const LENGTHS = [0, 1, 32, 66, 135, 136, 137, 272, 320, 16_383, 16_384, 16_385, 6_000_000]

test('hashes in WebAssembly are those in JavaScript, each in memory of its own', () => {
  const inputs = LENGTHS.map((length) => randomBytes(length))
  const hashes = inputs.map((bytes) => keccakBytes(bytes))
  inputs.forEach((bytes, index) => {
    assert.deepEqual(hashes[index], keccak_256(bytes), `${bytes.length} bytes`)
  })
})
