'use strict'
// The class of the handles behind unix sockets, and that of a write to one: Node's own, which it does not export. Both are
// read off a socket that connects to nothing.

const net = require('node:net')

function findPipeParts() {
  const probe = new net.Socket().on('error', () => {})
  probe.connect({ path: '/' }) // a folder: fails, but not before this turn of the loop ends
  const handle = probe._handle
  const Pipe = handle.constructor
  let WriteWrap
  handle.writeUtf8String = (request) => {
    WriteWrap = request.constructor
    return 0
  }
  probe.connecting = false
  probe.write('x')
  delete handle.writeUtf8String
  probe.destroy()
  return { Pipe, WriteWrap }
}

module.exports = findPipeParts()
