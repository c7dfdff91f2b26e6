'use strict'
// SQLite seeds its random() and randomblob() once, and goes on from there in a fork: a bundle that drew at load would draw
// the same in every execution. SQLite looks whether it has become another process when it opens a file.
const FILE = '/dev/null'

/** Without the warning that it is experimental: nobody has used it yet. */
function load() {
  const { emitWarning } = process
  process.emitWarning = () => {}
  const sqlite = require('node:sqlite')
  process.emitWarning = emitWarning
  return sqlite
}

const sqlite = load()
const { DatabaseSync } = sqlite
let used = false

/** Notes whether a bundle opens a database when it loads. */
function watchSqlite() {
  sqlite.DatabaseSync = new Proxy(DatabaseSync, {
    construct(target, parameters, newTarget) {
      used = true
      return Reflect.construct(target, parameters, newTarget)
    },
  })
}

/** In the child, ahead of its request. */
function renewSqlite() {
  if (used) new DatabaseSync(FILE, { readOnly: true }).close()
}

module.exports = { watchSqlite, renewSqlite }
