// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build tools

// Package builder names what go.mod is for, so that it stays required.
package builder

import _ "go.opentelemetry.io/collector/cmd/builder"
