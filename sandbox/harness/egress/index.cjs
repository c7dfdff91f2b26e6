'use strict'
// What a function sees of the network. Required, like everything it needs, before any user code; installed before the
// bundle is loaded. None of this is the boundary: without it the seccomp policy and the empty network namespace refuse
// the same connections, with other error codes, and the broker trusts nothing that comes from here.

const { syncBuiltinESMExports } = require('node:module')
const { installBrokerClient } = require('./broker-client.cjs')
const { installDatagrams } = require('./datagrams.cjs')
const { installNames, placeholderOf } = require('./names.cjs')
const { installNoNetwork } = require('./no-network.cjs')

const SOCKET_PATH = '/run/egress.sock'

/**
 * `network`: whether the function has an egress list; which hosts are on it does not matter here: the broker decides.
 * `socketPath`: the broker's socket in the jail.
 */
function install({ network = false, socketPath = SOCKET_PATH } = {}) {
  installDatagrams()
  if (!network) {
    installNames(() => undefined)
    installNoNetwork()
  } else {
    installNames(placeholderOf)
    installBrokerClient(socketPath)
  }
  syncBuiltinESMExports()
}

module.exports = { install }
