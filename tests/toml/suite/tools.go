// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build tools

// Package suite names what go.mod is for, so that it stays required.
package suite

import _ "github.com/toml-lang/toml-test/v2/cmd/toml-test"
