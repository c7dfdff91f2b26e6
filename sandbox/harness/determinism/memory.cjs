'use strict'
// Memory that nobody has written yet holds what was there before: addresses, other texts. And how far Node's pool of small
// buffers is used up shows in their `byteOffset` and `buffer`. So every buffer is its own and starts with zeros.

const { replace } = require('./replace.cjs')

const { alloc } = Buffer

function install() {
  Buffer.poolSize = 0
  replace(Buffer, 'allocUnsafe', (size) => alloc(size))
  replace(Buffer, 'allocUnsafeSlow', (size) => alloc(size))
}

module.exports = { install }
