#!/usr/bin/env node
'use strict'
// The command runs on Node 24 or newer. On an older one this launcher starts it again with the pinned Node from npm and
// does nothing but pass signals on.
const { spawn } = require('node:child_process')
const { constants } = require('node:os')
const { existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')
const source = join(root, 'src', 'main.ts')
// In a checkout the sources run as they are (--conditions=peerhost-source); a published package has dist alone.
const fromSource = existsSync(source) && /peerhost-source/.test(process.env.NODE_OPTIONS || '')
const main = fromSource ? source : join(root, 'dist', 'main.js')

if (Number(process.versions.node.split('.')[0]) >= 24) {
  void import(require('node:url').pathToFileURL(main).href)
} else {
  const node = findNode()
  if (!node) {
    console.error(
      `peerhost needs Node 24 or newer; this is ${process.version}, and the package node-${process.platform}-${process.arch} is not installed.`,
    )
    console.error('Install Node 24, or npm install without --omit=optional.')
    process.exit(1)
  }
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`peerhost: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code))
}

function findNode() {
  try {
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`)
    return join(manifest, '..', JSON.parse(readFileSync(manifest, 'utf8')).bin.node)
  } catch {
    return undefined
  }
}
