'use strict'
// Shared by the harness and the compiler: V8 takes a code cache only for the source that it was made from.
const FILENAME = '/var/task/handler.js'
/** A bundle's text as the function that it is run as; on one line, so that line numbers of stack traces stay. */
const wrap = (source) => `(function (exports, require, module, __filename, __dirname) {${source}\n})`
module.exports = { wrap, FILENAME, DIRNAME: '/var/task' }
