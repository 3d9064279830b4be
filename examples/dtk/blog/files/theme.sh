#!/bin/sh
echo "themes: $DTKD_PROPERTY_THEMES"
